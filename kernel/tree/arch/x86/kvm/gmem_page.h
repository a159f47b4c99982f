/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_GMEM_PAGE_H
#define __KVM_X86_GMEM_PAGE_H

#include <linux/kvm_host.h>

int kvm_gmem_page_get(struct kvm_vcpu *vcpu, enum kvm_gmem_page_id id,
		      struct kvm_memory_slot *slot, gfn_t gfn);
void kvm_gmem_pages_put(struct kvm_vcpu *vcpu);
void *kvm_gmem_page_map(struct kvm_vcpu *vcpu, enum kvm_gmem_page_id id,
			struct mermap *map);
void kvm_gmem_page_unmap(struct mermap *map);
void kvm_gmem_pages_invalidate(struct kvm *kvm, gfn_t start, gfn_t end);

#endif /* __KVM_X86_GMEM_PAGE_H */
