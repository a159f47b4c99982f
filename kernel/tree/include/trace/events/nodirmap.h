/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nodirmap

#if !defined(_TRACE_NODIRMAP_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_NODIRMAP_H

#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(mm_nodirmap_block,
		    TP_PROTO(struct zone *zone, unsigned long pfn, int err),
		    TP_ARGS(zone, pfn, err),
		    TP_STRUCT__entry(__field(int, nid)
				     __field(int, zid)
				     __field(unsigned long, pfn)
				     __field(int, err)),
		    TP_fast_assign(__entry->nid = zone_to_nid(zone);
				   __entry->zid = zone_idx(zone);
				   __entry->pfn = pfn;
				   __entry->err = err;),
		    TP_printk("node=%d zone=%d pfn=0x%lx err=%d",
			      __entry->nid, __entry->zid, __entry->pfn,
			      __entry->err)
);

/* A free page block has left the direct map. */
DEFINE_EVENT(mm_nodirmap_block, mm_nodirmap_block_zap,
	     TP_PROTO(struct zone *zone, unsigned long pfn, int err),
	     TP_ARGS(zone, pfn, err)
);

/* A free page block is back in the direct map. */
DEFINE_EVENT(mm_nodirmap_block, mm_nodirmap_block_return,
	     TP_PROTO(struct zone *zone, unsigned long pfn, int err),
	     TP_ARGS(zone, pfn, err)
);

/* There was no block, and a single page has left the direct map. */
TRACE_EVENT(mm_nodirmap_slow_page,
	    TP_PROTO(unsigned long pfn),
	    TP_ARGS(pfn),
	    TP_STRUCT__entry(__field(unsigned long, pfn)),
	    TP_fast_assign(__entry->pfn = pfn;),
	    TP_printk("pfn=0x%lx", __entry->pfn)
);

#endif /* _TRACE_NODIRMAP_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
