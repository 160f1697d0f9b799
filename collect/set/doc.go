// Package set is a picture set on disk: a folder of class folders with a manifest that says where each picture came
// from, a trash that nothing leaves for good unasked, and a journal that makes every change undoable.
//
//	DIR/earth/001_8f3a0c11.jpg     a picture of the class earth
//	DIR/manifest.jsonl             one Record a line
//	DIR/.trash/earth/...           pictures thrown out, restorable
//	DIR/.orrery/journal.jsonl      every move, written before it is made
//	DIR/.orrery/dropped.jsonl      addresses not worth another request, and why
//	DIR/.orrery/tmp/               downloads under way
//
// The order of writes is what makes a killed process harmless. A new picture is first whole and synced under tmp, then
// in the manifest, then in its class folder; a move is first in the journal, then made. Open finishes what was begun.
package set

const (
	// ManifestName is the file of Records at the root of a set.
	ManifestName = "manifest.jsonl"
	// TrashDir holds pictures thrown out, in folders named like their classes.
	TrashDir = ".trash"
	// StateDir holds what Orrery itself remembers about a set.
	StateDir = ".orrery"

	tmpDir      = StateDir + "/tmp"
	journalName = StateDir + "/journal.jsonl"
	droppedName = StateDir + "/dropped.jsonl"
	pagingName  = StateDir + "/paging.jsonl"
	lockName    = StateDir + "/lock"
)
