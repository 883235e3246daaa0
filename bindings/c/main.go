// Package main is libimreuse, the engine for hosts in C and C++. imreuse.h is
// its documentation. Build it with make, because a library needs -buildmode.
//
// api.c has the functions of the header. Each calls one function of Go, and checks
// only the structs that it copies. Handles and the host's pointers go to Go as
// numbers: Go's stacks and heap must not hold an invalid pointer.
package main

func main() {}
