// Package clean throws bad pictures out of a set, moves misplaced ones and renames classes: by hand on a local page,
// or by a list of commands. Every step can be undone, across restarts too; see package set for how nothing gets lost.
package clean
