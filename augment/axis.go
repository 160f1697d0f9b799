package augment

// Axis is what validation does to one axis of a picture of ItemSize pixels, after the sizing stage: Size
// rows of ItemSize weights, which add up to 1. Both axes go alike, so the finished picture is Axis times
// the item times its transpose. It holds for exact pixels.
func (p *Pipeline) Axis() [][]float32 {
	from := p.item
	area := p.AreaStep([]Params{Neutral()})
	if area {
		from = p.areaSide
	}
	rows := make([][]float32, p.size)
	for i := range rows {
		// A pixel's place among those of the square that is sampled, and its two neighbours there.
		place := 0.5 * float64(from-1)
		if p.size > 1 {
			place = float64(i) * float64(from-1) / float64(p.size-1)
		}
		left := max(min(int(place), from-2), 0)
		right := float32(place - float64(left))
		rows[i] = make([]float32, p.item)
		for k, weight := range []float32{1 - right, right} {
			if weight == 0 {
				continue
			}
			if !area {
				rows[i][left+k] += weight
				continue
			}
			// PyTorch's adaptive average: [floor(k*item/from), ceil((k+1)*item/from)).
			start, end := (left+k)*p.item/from, ((left+k+1)*p.item+from-1)/from
			for j := start; j < end; j++ {
				rows[i][j] += weight / float32(end-start)
			}
		}
	}
	return rows
}
