// Package gatewayversion has the version of the IM gateway's contract. The
// gateway's installer, client and double share it. It is a package of its own
// so that the double does not import package gateway, which runs Node.
package gatewayversion

// Version is the version of the contract; gateway.Version is the same.
const Version = "0.3.0"
