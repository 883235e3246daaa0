package gateway

import "encoding/json"

// sdkPackage is npm's name for the vendor's IM SDK.
const sdkPackage = "nim-web-sdk-ng"

// SDKVersion returns the version of the vendor's IM SDK that Install fetches.
func SDKVersion() string {
	data, err := files.ReadFile("package.json")
	var npm struct{ Dependencies map[string]string }
	if err != nil || json.Unmarshal(data, &npm) != nil {
		return "unknown"
	}
	return npm.Dependencies[sdkPackage]
}
