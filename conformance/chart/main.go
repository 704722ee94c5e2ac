// Command chart prints the ratios of this library's costs to those of the other clients,
// and draws them. It reads the results of the benchmarks; see bench.sh.
package main

import (
	"flag"
	"fmt"
	"image/color"
	"log"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// A series is the measurements of one client in the order of the rounds.
type series struct{ json, benchmark, client, unit string }

// others are the clients that this library is compared with.
var others = []struct {
	client, label string
	color         color.Color
}{
	{"net-http", "hand-written net/http + encoding/json", color.RGBA{0x2b, 0x6c, 0xb0, 0xff}},
	{"cloudflare-go", "cloudflare-go", color.RGBA{0xe0, 0x8e, 0x0b, 0xff}},
}

func main() {
	svg := flag.String("svg", "ratios.svg", "file to draw")
	flag.Parse()
	measured, err := read(flag.Args())
	if err != nil {
		log.Fatal(err)
	}
	var labels []string
	bars := make([]plotter.Values, len(others))
	fmt.Println("| call | JSON package | cost | to hand-written | to cloudflare-go |\n|---|---|---|--:|--:|")
	for _, benchmark := range []string{"Patch", "List", "PatchOverLoopback"} {
		for _, json := range []string{"encoding/json", "jsonv2"} {
			for _, unit := range []string{"cpu-sec/op", "allocs/op"} {
				cost := map[string]string{"cpu-sec/op": "CPU time", "allocs/op": "allocations"}[unit]
				var ratios []any
				for i, other := range others {
					r, err := ratio(measured[series{json, benchmark, "secretsstore", unit}], measured[series{json, benchmark, other.client, unit}])
					if err != nil {
						log.Fatalf("%s: %v", benchmark, err)
					}
					ratios = append(ratios, r)
					if benchmark != "PatchOverLoopback" {
						bars[i] = append(bars[i], r)
					}
				}
				fmt.Printf("| %s | %s | %s | %.2f | %.2f |\n", append([]any{benchmark, json, cost}, ratios...)...)
				if benchmark != "PatchOverLoopback" {
					labels = append(labels, fmt.Sprintf("%s\n%s\n%s", strings.ToLower(benchmark), cost, json))
				}
			}
		}
	}
	if err := draw(*svg, labels, bars); err != nil {
		log.Fatal(err)
	}
}

func read(files []string) (map[series][]float64, error) {
	measured := map[series][]float64{}
	results := benchfmt.Files{Paths: files}
	for results.Scan() {
		switch result := results.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, result
		case *benchfmt.Result:
			benchmark, client, _ := strings.Cut(string(result.Name), "/client=")
			for _, value := range result.Values {
				key := series{result.GetConfig("json"), benchmark, client, value.Unit}
				measured[key] = append(measured[key], value.Value)
			}
		}
	}
	return measured, results.Err()
}

// ratio returns the median of the ratios in each round.
func ratio(ours, theirs []float64) (float64, error) {
	if len(ours) == 0 || len(ours) != len(theirs) {
		return 0, fmt.Errorf("%d and %d results", len(ours), len(theirs))
	}
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / theirs[i]
	}
	slices.Sort(ratios)
	return (ratios[(len(ratios)-1)/2] + ratios[len(ratios)/2]) / 2, nil
}

func draw(file string, labels []string, bars []plotter.Values) error {
	p := plot.New()
	p.Title.Text = "Cost of a call as a ratio to other clients (less is better)"
	p.Legend.Top = true
	p.Y.Min, p.Y.Max = 0, 1.3
	p.NominalX(labels...)
	p.X.Min, p.X.Max = -0.6, float64(len(labels))-0.4
	one := plotter.NewFunction(func(float64) float64 { return 1 })
	one.Color, one.Dashes = color.Gray{0xa0}, []vg.Length{vg.Points(3), vg.Points(3)}
	p.Add(one)
	const width = 22
	for i, other := range others {
		chart, err := plotter.NewBarChart(bars[i], vg.Points(width))
		if err != nil {
			return err
		}
		chart.Color, chart.LineStyle.Width = other.color, 0
		chart.Offset = vg.Points(width * (float64(i) - 0.5))
		values, err := plotter.NewLabels(barLabels(bars[i]))
		if err != nil {
			return err
		}
		values.Offset.X, values.Offset.Y = chart.Offset-vg.Points(width/2), vg.Points(2)
		p.Add(chart, values)
		p.Legend.Add("to "+other.label, chart)
	}
	return p.Save(vg.Points(760), vg.Points(320), file)
}

func barLabels(values plotter.Values) (labels plotter.XYLabels) {
	for i, v := range values {
		labels.XYs = append(labels.XYs, plotter.XY{X: float64(i), Y: v})
		labels.Labels = append(labels.Labels, fmt.Sprintf("%.2f", v))
	}
	return labels
}
