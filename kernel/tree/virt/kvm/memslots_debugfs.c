// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memslots of a VM, and the memory behind them, in debugfs.
 *
 * A VMM knows what it has told KVM, an administrator does not, and has no
 * reason to believe the VMM.  The format is in
 * Documentation/virt/kvm/no_direct_map.rst.
 */
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include "kvm_mm.h"

/*
 * The name of the debugfs directory has the ID of the thread that created the
 * VM.  That thread may be gone, and another process may have its ID.
 *
 * Return: the thread group ID of a process with the mm of the VM, or 0 if there is
 * none.  The ID is that of the PID namespace of the reader.
 */
static pid_t memslots_process(struct kvm *kvm)
{
	struct task_struct *process, *thread;
	pid_t pid = 0;

	rcu_read_lock();
	for_each_process_thread(process, thread) {
		/* A kernel thread can borrow an mm. */
		if (thread->flags & PF_KTHREAD)
			continue;
		/* kvm->mm cannot be reused, and nothing dereferences thread->mm. */
		if (READ_ONCE(thread->mm) == kvm->mm) {
			pid = task_tgid_vnr(thread);
			goto out;
		}
	}
out:
	rcu_read_unlock();

	return pid;
}

#ifdef CONFIG_KVM_GUEST_MEMFD
static void memslots_show_gmem(struct seq_file *m, struct kvm *kvm,
			       struct kvm_memory_slot *slot)
{
	struct file *file;

	lockdep_assert(srcu_read_lock_held(&kvm->srcu));

	/* A memslot does not keep its file. */
	file = get_file_active(&slot->gmem.file);
	if (!file) {
		seq_puts(m, "closed");
		return;
	}

	seq_printf(m, "guest_memfd %llu %llx %s %s",
		   (u64)file_inode(file)->i_ino,
		   (u64)slot->gmem.pgoff << PAGE_SHIFT,
		   kvm_memslot_is_gmem_only(slot) ? "alone" : "private",
		   mapping_no_direct_map(file->f_mapping) ? "no-direct-map" : "direct-map");
	fput(file);
}
#else
static void memslots_show_gmem(struct seq_file *m, struct kvm *kvm,
			       struct kvm_memory_slot *slot)
{
}
#endif

static void memslots_show_slot(struct seq_file *m, struct kvm *kvm,
			       struct kvm_memory_slot *slot)
{
	/* The upper half of the flags is internal to KVM. */
	seq_printf(m, "%u %d %llx %lx %lx %lx ", slot->as_id, slot->id,
		   slot->base_gfn, slot->npages, slot->flags & GENMASK(15, 0),
		   slot->userspace_addr);

	if (kvm_slot_has_gmem(slot))
		memslots_show_gmem(m, kvm, slot);
	else
		seq_puts(m, slot->id < KVM_USER_MEM_SLOTS ? "memory" : "internal");

	seq_putc(m, '\n');
}

/*
 * kvm->slots_lock is not taken: its holder may copy to userspace memory, and a VMM
 * that handles the page fault decides how long that takes.
 */
static int memslots_show(struct seq_file *m, void *v)
{
	struct kvm *kvm = m->private;
	struct kvm_memslot_iter iter;
	int as_id, srcu_idx;

	seq_printf(m, "memslots 1 process %d\n", memslots_process(kvm));

	srcu_idx = srcu_read_lock(&kvm->srcu);
	for (as_id = 0; as_id < kvm_arch_nr_memslot_as_ids(kvm); as_id++) {
		kvm_for_each_memslot_in_gfn_range(&iter, __kvm_memslots(kvm, as_id),
						  0, ~0ULL)
			memslots_show_slot(m, kvm, iter.slot);
	}
	srcu_read_unlock(&kvm->srcu, srcu_idx);

	/* With this line the list is whole. */
	seq_puts(m, "end\n");

	return 0;
}

static int memslots_open(struct inode *inode, struct file *file)
{
	struct kvm *kvm = inode->i_private;
	int r;

	/* The directory goes away after the last reference to the VM. */
	if (!kvm_get_kvm_safe(kvm))
		return -ENOENT;

	r = single_open(file, memslots_show, kvm);
	if (r)
		kvm_put_kvm(kvm);

	return r;
}

static int memslots_release(struct inode *inode, struct file *file)
{
	struct kvm *kvm = inode->i_private;
	int r = single_release(inode, file);

	kvm_put_kvm(kvm);

	return r;
}

static const struct file_operations memslots_fops = {
	.owner		= THIS_MODULE,
	.open		= memslots_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= memslots_release,
};

/**
 * kvm_create_memslots_debugfs - Show the memslots of a VM in debugfs
 * @kvm: VM, with its debugfs directory
 *
 * The file goes away with the directory.  An open file is a reference to the VM,
 * so that a VM that ends meanwhile does so when the file is closed.
 *
 * Context: Process context, while the VM is created.  May sleep.
 */
void kvm_create_memslots_debugfs(struct kvm *kvm)
{
	debugfs_create_file("memslots", 0400, kvm->debugfs_dentry, kvm,
			    &memslots_fops);
}
