//go:build unix

package child

import (
	"os/exec"
	"syscall"
)

func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// Terminate asks the whole process group of c to end.
func Terminate(c *exec.Cmd) error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }

// Kill kills the whole process group of c, which must have been started. It
// also works after c itself has ended, because the system does not reuse the
// number of a group that still has members.
func Kill(c *exec.Cmd) error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
