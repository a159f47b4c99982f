// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "next.h"

static struct next found;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ISO C knows no conversion of an object's address to a function's. */
static void find(const char *name, void *ret_function)
{
	static const char text[] = "offmap: libc lacks a function that the shim needs\n";
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol) {
		if (write(2, text, sizeof(text) - 1) < 0)
			abort();
		abort();
	}
	memcpy(ret_function, &symbol, sizeof(symbol));
}

static void find_all(void)
{
	find("ioctl", &found.ioctl);
	find("mmap", &found.mmap);
	find("munmap", &found.munmap);
	find("mremap", &found.mremap);
	find("madvise", &found.madvise);
	find("close", &found.close);
}

const struct next *next(void)
{
	pthread_once(&once, find_all);
	return &found;
}
