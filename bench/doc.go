// Package bench measures how fast networks train and predict on the devices at
// hand, holds that against what the machine could do at most, and says what it
// costs in joules and in money.
//
// A row is one work (data: the loader alone; train: training steps; predict:
// inference in evaluation mode without gradients) on one input (jpeg: pictures
// decoded on the way; store: decoded ones at hand; synthetic: random pictures
// that lie on the device). Rows of training on pictures are trainer.Fit's own
// steps, timed as a run's images_per_second is. Random numbers, never zeros, are
// computed with.
//
// The parts of a step are measured in a pass of their own, in which the device is
// waited for at each mark; on a device that works asynchronously they add up to
// more than the step.
package bench
