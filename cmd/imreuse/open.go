package main

import (
	"os/exec"
	"runtime"
)

// openBrowser opens url in the browser that the system chooses. No shell sees
// the url.
func openBrowser(url string) error {
	command := exec.Command("xdg-open", url)
	switch runtime.GOOS {
	case "darwin":
		command = exec.Command("open", url)
	case "windows":
		command = exec.Command("rundll32", "url.dll,FileProtocolHandler", url)
	}
	command.SysProcAttr = ownSession()
	if err := command.Start(); err != nil {
		return err
	}
	// The program may turn into the browser itself, which outlives this
	// process. So nobody waits for it.
	return command.Process.Release()
}
