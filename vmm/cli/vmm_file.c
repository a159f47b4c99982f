// SPDX-License-Identifier: MIT
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vmm_file.h"

#ifdef __x86_64__
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#endif

static const char *const texts[] = {
	[VMM_FINE] = "can be run",
	[VMM_NOT_FOUND] = "is not there",
	[VMM_NOT_EXECUTABLE] = "is not an executable file",
	[VMM_FOREIGN] = "is a program for another machine than this offmap",
	[VMM_PRIVILEGED] = "is setuid or setgid, or has file capabilities, which are lost under a filter that a user puts on: run it as root",
};

const char *vmm_verdict_text(enum vmm_verdict verdict)
{
	return texts[verdict];
}

static bool found(const char *path, bool *ret_denied)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (S_ISREG(st.st_mode) && !access(path, X_OK))
		return true;
	*ret_denied = true;
	return false;
}

static enum vmm_verdict search(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");
	bool denied = false;

	if (!*name)
		return VMM_NOT_FOUND;
	if (strchr(name, '/')) {
		if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX)
			return VMM_NOT_FOUND;
		return found(path, &denied) ? VMM_FINE :
		       denied ? VMM_NOT_EXECUTABLE : VMM_NOT_FOUND;
	}
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; dirs; ) {
		const char *end = strchrnul(dirs, ':');
		int length = end - dirs;

		if (snprintf(path, PATH_MAX, "%.*s%s%s", length, dirs,
			     length ? "/" : "./", name) < PATH_MAX &&
		    found(path, &denied))
			return VMM_FINE;
		dirs = *end ? end + 1 : NULL;
	}
	path[0] = 0;
	return denied ? VMM_NOT_EXECUTABLE : VMM_NOT_FOUND;
}

/* Is it an ELF program of another architecture?  A script's interpreter is not checked. */
static bool is_foreign(int fd)
{
	Elf64_Ehdr header;

	return pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
	       !memcmp(header.e_ident, ELFMAG, SELFMAG) &&
	       (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != OUR_MACHINE);
}

/* Does exec raise privileges?  Root's filter works without no_new_privs. */
static bool is_privileged(int fd)
{
	struct stat st;

	if (!getuid() || fstat(fd, &st))
		return false;
	/* setuid to the user who starts the program changes nothing */
	return (st.st_mode & S_ISUID && st.st_uid != getuid()) ||
	       (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getgid()) ||
	       fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

enum vmm_verdict vmm_file_check(const char *name, char ret_path[PATH_MAX])
{
	enum vmm_verdict verdict;
	int fd;

	ret_path[0] = 0;
	verdict = search(name, ret_path);
	if (verdict)
		return verdict;
	fd = open(ret_path, O_RDONLY | O_CLOEXEC);
	/* exec may succeed without read permission */
	if (fd < 0)
		return VMM_FINE;
	verdict = is_foreign(fd) ? VMM_FOREIGN : is_privileged(fd) ? VMM_PRIVILEGED : VMM_FINE;
	close(fd);
	return verdict;
}
