// SPDX-License-Identifier: MIT
#include "kernel.h"

void kernel_view_open(struct kernel_view *ret_view)
{
	*ret_view = (struct kernel_view){ 0 };
	ret_view->kcore_error = -kcore_open(&ret_view->kcore);
	ret_view->tables_error = -ptdump_read(&ret_view->tables);
}

void kernel_view_close(struct kernel_view *view)
{
	ptdump_free(view->tables);
	kcore_close(view->kcore);
	*view = (struct kernel_view){ 0 };
}
