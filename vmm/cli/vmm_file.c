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
	[VMM_UNREADABLE] = "cannot be read, so there is no telling whether it loads the shim",
	[VMM_NOT_ELF] = "is no ELF program but a script or the like: name the VMM itself",
	[VMM_FOREIGN] = "is a program for another machine than this offmap",
	[VMM_STATIC] = "is linked statically: nothing can be loaded into it, it has to use liboffmap itself",
	[VMM_OTHER_LIBC] = "has another dynamic linker than glibc's, for which the shim is not built: it has to use liboffmap itself",
	[VMM_SETUID] = "is setuid or setgid: the dynamic linker ignores LD_PRELOAD for it",
	[VMM_CAPABILITIES] = "has file capabilities: the dynamic linker ignores LD_PRELOAD for it",
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

/*
 * Others, such as musl's, do not say what they would load when they are asked:
 * they start the program.
 */
static enum vmm_verdict check_linker(int fd, const Elf64_Phdr *ph)
{
	char name[PATH_MAX] = "";

	if (ph->p_filesz >= sizeof(name) ||
	    pread(fd, name, ph->p_filesz, ph->p_offset) != (ssize_t)ph->p_filesz)
		return VMM_NOT_ELF;
	return strstr(name, "ld-linux") ? VMM_FINE : VMM_OTHER_LIBC;
}

static enum vmm_verdict check_elf(int fd)
{
	Elf64_Ehdr header;
	Elf64_Phdr ph;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG))
		return VMM_NOT_ELF;
	if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_machine != OUR_MACHINE)
		return VMM_FOREIGN;
	for (int i = 0; i < header.e_phnum; i++) {
		off_t at = header.e_phoff + (off_t)i * header.e_phentsize;

		if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph))
			return VMM_NOT_ELF;
		if (ph.p_type == PT_INTERP)
			return check_linker(fd, &ph);
	}
	return VMM_STATIC;
}

static enum vmm_verdict check_privileges(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return VMM_UNREADABLE;
	/* setuid to the user who starts it changes nothing */
	if ((st.st_mode & S_ISUID && st.st_uid != getuid()) ||
	    (st.st_mode & S_ISGID && st.st_mode & S_IXGRP &&
	     st.st_gid != getgid()))
		return VMM_SETUID;
	/* root has them all anyway, and the linker does not mind */
	if (getuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return VMM_CAPABILITIES;
	return VMM_FINE;
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
	if (fd < 0)
		return VMM_UNREADABLE;
	verdict = check_privileges(fd);
	if (!verdict)
		verdict = check_elf(fd);
	close(fd);
	return verdict;
}
