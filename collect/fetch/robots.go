package fetch

import (
	"net/http"
	"strings"
)

// refusedDirectives in X-Robots-Tag say that a picture is not to be collected for training. noindex and noimageindex
// are older ways of saying that it is not to be gathered by machines at all.
var refusedDirectives = map[string]bool{"noai": true, "noimageai": true, "noindex": true, "noimageindex": true, "none": true}

// objects returns the header by which a server asks not to have the picture collected, or "".
func objects(header http.Header) string {
	for _, value := range header.Values("X-Robots-Tag") {
		addressed := true // a directive list may name the robot it is meant for, before a colon
		for directive := range strings.SplitSeq(strings.ToLower(value), ",") {
			directive = strings.TrimSpace(directive)
			if robot, rest, named := strings.Cut(directive, ":"); named && !strings.Contains(robot, "-") && !strings.Contains(robot, "_") {
				robot = strings.TrimSpace(robot)
				addressed = robot == "*" || robot == "orrery"
				directive = strings.TrimSpace(rest)
			}
			if addressed && refusedDirectives[directive] {
				return "X-Robots-Tag: " + directive
			}
		}
	}
	if strings.TrimSpace(header.Get("TDM-Reservation")) == "1" {
		return "TDM-Reservation: 1"
	}
	return ""
}
