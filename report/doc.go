// Package report turns a run folder into pictures: plots as PNG and SVG files,
// the self-contained page report.html, the ladder's page, picture grids.
//
// It reads files only, so it works on a run that still trains, was cut short,
// or came from another machine. Every file is written whole or not at all.
//
// The files of a run folder it knows:
//
//	recipe.yaml      what was asked for; keys and values of one level
//	history.csv      epoch,train_loss,valid_loss,accuracy,seconds
//	steps.csv        step,epoch,lr,momentum,loss,smoothed_loss,images_per_second,data_wait_seconds,memory_mib
//	result.json      the final numbers and where they came from
//	evaluation.json  classes, confusion counts (rows actual, columns predicted), top losses
//	predictions.csv  path,label,p0,p1,...: every validation picture's probabilities (see WritePredictions)
//	activations.npz  statistics of each module's output (see Activations)
//	log.jsonl        one slog record a line
//	plots/           show-batch.png, top-losses.png and lr-find.png are taken into the page
package report
