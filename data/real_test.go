package data

import (
	"context"
	"testing"

	"github.com/wangkuiyi/orrery/internal/testdata"
)

func TestTrashnet(t *testing.T) {
	d, err := Open(context.Background(), testdata.Photos(t, "trashnet"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, want := len(d.Samples), 2096; got != want {
		t.Errorf("%d samples, want %d", got, want)
	}
	if len(d.Classes) != 6 || d.Classes[0] != "cardboard" || d.Classes[5] != "trash" {
		t.Errorf("classes %v", d.Classes)
	}
	if len(d.Skipped) != 0 {
		t.Errorf("skipped %v", d.Skipped)
	}
	_, valid, err := d.Split(0.2, 42)
	if err != nil {
		t.Fatal(err)
	}
	if len(valid) != 419 || valid[0] != 1558 || valid[4] != 1050 {
		t.Errorf("validation split begins %v, has %d", valid[:5], len(valid))
	}
}

func BenchmarkOpenTrashnet(b *testing.B) {
	dir := testdata.Photos(b, "trashnet")
	for b.Loop() {
		d, err := Open(context.Background(), dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		d.Close()
	}
}

func BenchmarkDecodeTrashnet(b *testing.B) {
	d, err := Open(context.Background(), testdata.Photos(b, "trashnet"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	var p Picture
	i := 0
	for b.Loop() {
		if err := d.PictureInto(&p, i%len(d.Samples)); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "img/s")
}
