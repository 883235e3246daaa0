package nimcloud

import (
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/dynamictoken"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

// The values of tagAuthType. The vendor has a third one, for tokens that a
// server of the app checks.
const (
	authStatic  = "0" // also if the tag is missing
	authDynamic = "1"
)

// accountOf returns the account that a login names, or the code that refuses its
// token. The world checks static tokens itself and knows no others, so a dynamic
// one that is good is replaced by the account's static token.
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
