// Package main is libimreuse, the engine for hosts in C and C++. imreuse.h is
// its documentation. Build it with make, because a library needs -buildmode.
//
// api.c has the functions of the header. Each checks nothing, and calls one
// function of Go. In between, handles and the host's pointers are numbers: Go's
// stacks and heap must not hold a pointer that is none.
package main

func main() {}
