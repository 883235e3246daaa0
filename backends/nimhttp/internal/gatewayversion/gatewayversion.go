// Package gatewayversion has the version of the IM gateway's contract, for the
// service's installer, its client and its double alike: the double needs nothing
// else of package gateway, which runs Node.
package gatewayversion

// Version is gateway.Version.
const Version = "0.2.0"
