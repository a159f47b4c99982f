// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's own accesses to guest memory that the direct map lacks.
 */
#include <linux/kvm_host.h>
#include <linux/mermap.h>
#include <linux/pagemap.h>

#include "guest_memfd.h"

/*
 * Map the page of @gfn for a short time.  The lock of the folio keeps it in the
 * file, and whoever takes it out of there after kvm_gmem_unmap() makes sure
 * that no CPU finds it any more.  The rules of mermap_get() apply.
 */
void *kvm_gmem_map(struct kvm_memory_slot *slot, gfn_t gfn, struct kvm_gmem_map *map)
{
	struct folio *folio;
	void *addr;

	folio = kvm_gmem_lock_folio(slot, gfn);
	if (IS_ERR(folio))
		return folio;

	mermap_prepare();
	addr = mermap_get(&map->map, folio_page(folio, 0));
	if (!addr) {
		folio_unlock(folio);
		folio_put(folio);
		return ERR_PTR(-EFAULT);
	}

	map->folio = folio;
	return addr;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_map);

void kvm_gmem_unmap(struct kvm_gmem_map *map)
{
	mermap_put(&map->map);
	folio_unlock(map->folio);
	folio_put(map->folio);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_gmem_unmap);
