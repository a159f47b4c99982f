// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdlib.h>

#include "json.h"

/* The length of the UTF-8 sequence at s, or 0. */
static int utf8_length(const unsigned char *s)
{
	int length = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		     (s[0] & 0xf0) == 0xe0 ? 3 :
		     s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	for (int i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong, surrogates, beyond the last character */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static void put_string(FILE *to, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;

	fputc('"', to);
	while (*s) {
		int length = utf8_length(s);

		if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(to, "\\u%04x", *s);
		else if (length)
			fwrite(s, 1, length, to);
		else
			fputs("\\ufffd", to);
		s += length ? length : 1;
	}
	fputc('"', to);
}

static void next(struct json *json, const char *name)
{
	if (json->depth) {
		fputs(json->filled[json->depth] ? ",\n" : "\n", json->to);
		fprintf(json->to, "%*s", 2 * json->depth, "");
		json->filled[json->depth] = true;
	}
	if (name) {
		put_string(json->to, name);
		fputs(": ", json->to);
	}
}

static void open_level(struct json *json, const char *name, const char *brackets)
{
	next(json, name);
	fputc(brackets[0], json->to);
	if (++json->depth == JSON_DEPTH)
		abort();
	json->filled[json->depth] = false;
	json->close[json->depth] = brackets[1];
}

void json_object(struct json *json, const char *name)
{
	open_level(json, name, "{}");
}

void json_array(struct json *json, const char *name)
{
	open_level(json, name, "[]");
}

void json_end(struct json *json)
{
	char close = json->close[json->depth];
	bool filled = json->filled[json->depth--];

	if (filled)
		fprintf(json->to, "\n%*s", 2 * json->depth, "");
	fputc(close, json->to);
	if (!json->depth)
		fputc('\n', json->to);
}

void json_string(struct json *json, const char *name, const char *value)
{
	next(json, name);
	if (value)
		put_string(json->to, value);
	else
		fputs("null", json->to);
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	next(json, name);
	fprintf(json->to, "%" PRIu64, value);
}

void json_known(struct json *json, const char *name, bool is_known, uint64_t value)
{
	if (is_known)
		json_number(json, name, value);
	else
		json_string(json, name, NULL);
}

void json_bool(struct json *json, const char *name, bool value)
{
	next(json, name);
	fputs(value ? "true" : "false", json->to);
}
