// SPDX-License-Identifier: MIT
/*
 * Runs a fuzzer's function on each input of a corpus, without libFuzzer.
 *
 *   replay_NAME DIRECTORY
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *data;

	if (fd < 0 || fstat(fd, &st))
		abort();
	/* of its size, so that ASan sees a byte too many */
	data = malloc(st.st_size);
	if (read(fd, data, st.st_size) != st.st_size)
		abort();
	close(fd);
	/* the last name before an abort */
	fprintf(stderr, "# %s\n", name);
	LLVMFuzzerTestOneInput(data, st.st_size);
	free(data);
}

int main(int argc, char **argv)
{
	DIR *dir = opendir(argc == 2 ? argv[1] : "");
	struct dirent *entry;
	char claim[128];
	int nr = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		run(dirfd(dir), entry->d_name);
		nr++;
	}
	if (dir)
		closedir(dir);
	snprintf(claim, sizeof(claim), "replay: all inputs of %s", argc == 2 ? argv[1] : "nothing");
	ok(nr > 0, claim);
	return done();
}
