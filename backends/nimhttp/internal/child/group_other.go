//go:build !unix

package child

import "os/exec"

// The standard library has no way to end a group of processes here. Node ends
// with its stdin, so the only one that may stay is the child of a wrapper script
// that does not.
func ownGroup(*exec.Cmd) {}

// Terminate does nothing here: there is no signal that asks a process to end.
func Terminate(*exec.Cmd) error { return nil }

// Kill kills c alone.
func Kill(c *exec.Cmd) error { return c.Process.Kill() }
