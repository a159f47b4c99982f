// SPDX-License-Identifier: MIT
/* Cases of run_vmm: how a VMM ends, and what limits it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "run_vmm.h"

static volatile sig_atomic_t asked_to_end;

static void on_term(int sig)
{
	asked_to_end = sig;
}

/* A clean end when it is asked for: memory is taken away and comes back before. */
void case_term(void)
{
	struct sigaction action = { .sa_handler = on_term };
	uint8_t *ram = new_ram();

	must(!sigaction(SIGTERM, &action, NULL));
	must(!set_slot(0, 0, RAM, ram));
	puts("ready");
	fflush(stdout);
	while (!asked_to_end)
		usleep(10000);
	must(!set_slot(0, 0, 0, ram) && !set_slot(0, 0, RAM, ram));
	must_run(ram);
	puts("a clean end");
}
