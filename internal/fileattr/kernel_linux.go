package fileattr

import (
	"os"

	"golang.org/x/sys/unix"
)

// KernelFileSystem returns the kind of file system that a folder is on, if it
// is one of the kernel, whose files are made as they are read and may never
// end; "" for all others.
func KernelFileSystem(folder *os.File) string {
	conn, err := folder.SyscallConn()
	if err != nil {
		return ""
	}
	var stat unix.Statfs_t
	if controlErr := conn.Control(func(fd uintptr) { err = unix.Fstatfs(int(fd), &stat) }); controlErr != nil || err != nil {
		return ""
	}
	switch int64(stat.Type) {
	case unix.PROC_SUPER_MAGIC:
		return "proc"
	case unix.SYSFS_MAGIC:
		return "sysfs"
	case unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC:
		return "cgroup"
	case unix.DEBUGFS_MAGIC:
		return "debugfs"
	case unix.TRACEFS_MAGIC:
		return "tracefs"
	case unix.SECURITYFS_MAGIC:
		return "securityfs"
	case unix.SELINUX_MAGIC:
		return "selinuxfs"
	case unix.DEVPTS_SUPER_MAGIC:
		return "devpts"
	case unix.BPF_FS_MAGIC:
		return "bpf"
	case unix.PSTOREFS_MAGIC:
		return "pstore"
	case unix.EFIVARFS_MAGIC:
		return "efivarfs"
	case unix.BINFMTFS_MAGIC:
		return "binfmt_misc"
	case unix.NSFS_MAGIC:
		return "nsfs"
	case 0x62656570:
		return "configfs"
	case 0x65735543:
		return "fusectl"
	case 0x19800202:
		return "mqueue"
	case 0x67596969:
		return "rpc_pipefs"
	}
	return ""
}
