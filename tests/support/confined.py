"""Runs a program with what a unit of systemd takes from it: `confined.py SYSCALLS PROGRAM ARGUMENT...`.

SYSCALLS, separated by commas, are allowed; others end with EPERM. Memory cannot be made executable, where the kernel
knows that (6.3 and later). Takes libseccomp2, which comes with systemd.
"""

import ctypes
import os
import sys

ALLOW, REFUSE_WITH_EPERM = 0x7FFF0000, 0x00050001
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, REFUSE_EXEC_GAIN = 38, 65, 1

try:
    seccomp = ctypes.CDLL("libseccomp.so.2")
except OSError:
    sys.exit("libseccomp2 is not installed")
libc = ctypes.CDLL(None)
seccomp.seccomp_init.restype = ctypes.c_void_p
rules = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(REFUSE_WITH_EPERM)))
for name in sys.argv[1].split(","):
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:  # others are not of this architecture
        seccomp.seccomp_rule_add(rules, ctypes.c_uint32(ALLOW), number, 0)
libc.prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or seccomp.seccomp_load(rules) != 0:
    sys.exit("the filter cannot be loaded")
os.execv(sys.argv[2], sys.argv[2:])
