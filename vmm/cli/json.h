/* SPDX-License-Identifier: MIT */
/* Writes JSON to a stream: enough for a report, and never invalid. */
#ifndef OFFMAP_JSON_H
#define OFFMAP_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 8

struct json {
	FILE *to;
	int depth;
	/* Does this level have an element already? */
	bool filled[JSON_DEPTH];
	char close[JSON_DEPTH];
};

/* name is NULL inside an array, and for the outermost value. */
void json_object(struct json *json, const char *name);
void json_array(struct json *json, const char *name);
void json_end(struct json *json);

/* Bytes that are not UTF-8 become U+FFFD; NULL becomes null. */
void json_string(struct json *json, const char *name, const char *value);
void json_number(struct json *json, const char *name, uint64_t value);
/* null if it is not known. */
void json_known(struct json *json, const char *name, bool is_known, uint64_t value);
void json_bool(struct json *json, const char *name, bool value);

#endif
