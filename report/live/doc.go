// Package live shows runs while they train: a page on this machine only, fed
// by server-sent events, and a form for the terminal.
//
// It follows the files that the trainer writes and talks to it through files
// alone. Beyond those package report knows, it reads plots/batch.png, the
// current batch with its predictions if the trainer draws one, and writes two
// files into the run folder:
//
//	stop      asks the trainer to write a checkpoint and to stop
//	note.txt  the user's note
package live
