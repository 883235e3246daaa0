package nimcloud

import (
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/dynamictoken"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// The values of tagAuthType. The vendor has a third one, 2, for tokens that the
// app's own server checks.
const (
	authStatic  = "0" // also if the tag is missing
	authDynamic = "1"
)

// accountOf returns the account with which to log in to the world, or the code
// that refuses the login. The world knows only static tokens and checks them
// itself. A dynamic token is checked here, and the account's static token takes
// its place.
func (c *Cloud) accountOf(tags properties) (a engine.IMAccount, code int) {
	a = engine.IMAccount{AppKey: tags[tagAppKey], Accid: tags[tagAccount], Token: tags[tagToken]}
	switch tags[tagAuthType] {
	case authStatic, "":
		return a, codeOK
	case authDynamic:
	default:
		return a, codeForbidden
	}
	if c.secret() == "" {
		return a, codeForbidden
	}
	if dynamictoken.Check(a.Token, a.AppKey, c.secret(), a.Accid, c.now()) != nil {
		return a, nimcodes.TokenInvalid
	}
	known, found := c.world.FindIM(a.Accid)
	if !found {
		return a, nimcodes.TokenInvalid
	}
	a.Token = known.Token
	return a, codeOK
}
