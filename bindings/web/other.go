//go:build !(js && wasm)

package main

import (
	"fmt"
	"os"
)

// main is here so that "go build ./..." works on every platform.
func main() {
	fmt.Fprintln(os.Stderr, "This command runs in web pages. Build the npm package with: make -C bindings/web")
	os.Exit(2)
}
