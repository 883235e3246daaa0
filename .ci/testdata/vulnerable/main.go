// Command vulnerable calls a function with a known vulnerability, GO-2021-0113,
// in the version that go.mod requires. The vulnerability check has to find it:
// a check that does not is broken, and proves nothing about our own code.
package main

import "golang.org/x/text/language"

func main() {
	if _, err := language.Parse("en"); err != nil {
		panic(err)
	}
}
