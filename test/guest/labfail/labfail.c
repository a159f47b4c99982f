// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fails on purpose, so that the lab can show that it notices:
 * insmod labfail.ko how=warn|oops|hang|task
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <asm/processor.h>

static char *how = "";
module_param(how, charp, 0);
MODULE_PARM_DESC(how, "what to do: warn, oops, hang or task");

/*
 * One CPU that does not schedule for a minute: for RCU's stall detector.  The CPU goes on
 * after that, because the end of a VM may wait for it.
 */
static void spin(void)
{
	ktime_t end = ktime_add_ms(ktime_get(), 60 * MSEC_PER_SEC);

	preempt_disable();
	while (ktime_before(ktime_get(), end))
		cpu_relax();
	preempt_enable();
}

/* A task that nobody wakes up: for the detector of hung tasks. */
static void sleep_forever(void)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
	}
}

static int __init labfail_init(void)
{
	if (!strcmp(how, "warn")) {
		WARN(1, "labfail was asked to warn\n");
	} else if (!strcmp(how, "oops")) {
		WRITE_ONCE(*(int *)8UL, 1);
	} else if (!strcmp(how, "hang")) {
		spin();
	} else if (!strcmp(how, "task")) {
		sleep_forever();
	} else {
		pr_err("labfail: unknown how=%s\n", how);
		return -EINVAL;
	}
	return 0;
}

static void __exit labfail_exit(void)
{
}

module_init(labfail_init);
module_exit(labfail_exit);
MODULE_DESCRIPTION("Fails on purpose, to test the lab itself");
MODULE_LICENSE("GPL");
