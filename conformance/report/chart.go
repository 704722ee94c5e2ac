package main

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/measure"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/peers"
)

// The colours tell the peers apart without red and green; the light ones are jsonv2.
var (
	blue        = color.RGBA{0x1f, 0x5f, 0xa8, 0xff}
	lightBlue   = color.RGBA{0x9c, 0xc3, 0xea, 0xff}
	orange      = color.RGBA{0xd9, 0x6a, 0x00, 0xff}
	lightOrange = color.RGBA{0xf8, 0xc0, 0x80, 0xff}
	brown       = color.RGBA{0x8a, 0x5a, 0x3c, 0xff}
	dark        = color.RGBA{0x22, 0x22, 0x22, 0xff}
	grey        = color.RGBA{0xe2, 0xe2, 0xe2, 0xff}
)

// series are the bars that mean the same, with their name in the legend.
var series = []struct {
	name    string
	against []string
	next    bool
	color   color.Color
}{
	{"÷ hand-written (64 at once: with a tuned transport)", []string{peers.HandWritten, measure.HandWrittenTuned, againstBare}, false, blue},
	{"÷ hand-written, both with jsonv2", []string{peers.HandWritten, measure.HandWrittenTuned, againstBare}, true, lightBlue},
	{"÷ cloudflare-go", []string{peers.CloudflareGo, againstAll}, false, orange},
	{"÷ cloudflare-go, both with jsonv2", []string{peers.CloudflareGo}, true, lightOrange},
	{"÷ cloudflare-go, its package secrets_store alone", []string{againstPackage}, false, brown},
}

const (
	rowHeight    = 13 // of a bar, with what is between it and the next
	groupGap     = 0.8
	chartWidth   = 760
	numberWidth  = 0.08 // on the axis, with what is before it
	legendHeight = 118
	aroundPlot   = 75 // title and axis
)

// drawChart draws all charted ratios, grouped by what they are of, as SVG.
func drawChart(lines []line) ([]byte, error) {
	p := plot.New()
	p.BackgroundColor = color.White // the page that shows it may be dark
	p.Title.Text = "Cost of secretsstore-go as a ratio: shorter is cheaper"
	p.Title.TextStyle.Font = sans(14)
	p.Title.Padding = 8
	p.Add(gridX{})

	var (
		what   []string
		ticks  []plot.Tick
		bars   = make([]*plotter.BarChart, len(series)) // the last of each, for the legend
		longer = 1.2
		y      float64
	)
	for _, l := range lines {
		if l.charted && l.measured() && !slices.Contains(what, l.what) {
			what = append(what, l.what)
		}
	}
	slices.Reverse(what) // the axis goes up
	for _, name := range what {
		bottom := y
		for i, s := range slices.Backward(series) {
			f, ok := find(lines, name, s.against, s.next)
			if !ok {
				continue
			}
			bar, err := addBar(p, f, y, s.color)
			if err != nil {
				return nil, err
			}
			bars[i] = bar
			longer = max(longer, f.median+0.15, f.bound+0.15)
			y++
		}
		ticks = append(ticks, plot.Tick{Value: (bottom + y - 1) / 2, Label: name})
		y += groupGap
	}
	top := y - groupGap - 0.5
	atOne, err := vertical(1, -0.5, top, draw.LineStyle{Color: dark, Width: 1, Dashes: []vg.Length{4, 3}})
	if err != nil {
		return nil, err
	}
	p.Add(atOne)

	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, longer, -0.5, top
	p.X.Tick.Marker = plot.TickerFunc(everyFifth)
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.Tick.Length, p.Y.LineStyle.Width = 0, 0.5
	p.X.Tick.Label.Font, p.Y.Tick.Label.Font = sans(10), sans(11)
	p.X.Padding, p.Y.Padding = 0, 4

	legend := plot.NewLegend()
	legend.TextStyle.Font = sans(11)
	legend.Top, legend.Left, legend.Padding = true, true, 4
	for i, s := range series {
		if bars[i] != nil {
			legend.Add(s.name, bars[i])
		}
	}
	legend.Add("the same cost", atOne)
	bound, err := vertical(0, 0, 0, boundStyle)
	if err != nil {
		return nil, err
	}
	legend.Add("bound that the project sets itself", bound)

	height := vg.Length(y*rowHeight) + aroundPlot + legendHeight
	canvas := vgsvg.New(chartWidth, height)
	whole := draw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	p.Draw(draw.Crop(whole, 8, -20, legendHeight, -8))
	legend.Draw(draw.Crop(whole, 20, -20, 8, legendHeight-8-height))

	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return nil, err
	}
	// Where the font isn't installed, a reader's own without serifs comes closest.
	return bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")), nil
}

// find returns the ratio of a series in a group.
func find(lines []line, what string, against []string, next bool) (figure, bool) {
	for _, l := range lines {
		if l.charted && l.what == what && slices.Contains(against, l.against) {
			f := l.today
			if next {
				f = l.next
			}
			return f, f.runs > 0
		}
	}
	return figure{}, false
}

var boundStyle = draw.LineStyle{Color: dark, Width: 2}

// addBar draws a ratio, its number behind it, and a mark at its bound.
func addBar(p *plot.Plot, f figure, y float64, c color.Color) (*plotter.BarChart, error) {
	bar, err := plotter.NewBarChart(plotter.Values{f.median}, rowHeight-2)
	if err != nil {
		return nil, err
	}
	bar.Horizontal, bar.XMin, bar.Color, bar.LineStyle.Width = true, y, c, 0
	p.Add(bar)
	if f.bound > 0 {
		mark, err := vertical(f.bound, y-0.5, y+0.5, boundStyle)
		if err != nil {
			return nil, err
		}
		p.Add(mark)
	}
	end := f.median
	for _, mark := range []float64{min(f.bound, 1), max(f.bound, 1)} {
		if end < mark && mark < end+numberWidth {
			end = mark // the number must not lie on it
		}
	}
	number, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: end, Y: y}}, Labels: []string{fmt.Sprintf("%.2f", f.median)}})
	if err != nil {
		return nil, err
	}
	number.Offset.X = 4
	number.TextStyle[0].Font, number.TextStyle[0].YAlign = sans(9), text.YCenter
	p.Add(number)
	return bar, nil
}

func vertical(x, from, to float64, style draw.LineStyle) (*plotter.Line, error) {
	l, err := plotter.NewLine(plotter.XYs{{X: x, Y: from}, {X: x, Y: to}})
	if err != nil {
		return nil, err
	}
	l.LineStyle = style
	return l, nil
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// everyFifth marks each fifth of the ratio's axis.
func everyFifth(_, longest float64) []plot.Tick {
	var ticks []plot.Tick
	for i := 0; float64(i)/5 <= longest; i++ {
		ticks = append(ticks, plot.Tick{Value: float64(i) / 5, Label: fmt.Sprintf("%.1f", float64(i)/5)})
	}
	return ticks
}

// gridX draws a faint line up from each mark of the axis, behind the bars.
type gridX struct{}

func (gridX) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	for _, tick := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		x := toX(tick.Value)
		c.StrokeLine2(draw.LineStyle{Color: grey, Width: 0.5}, x, c.Min.Y, x, c.Max.Y)
	}
}
