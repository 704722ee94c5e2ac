package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// An app is one run of the program.
type app struct {
	environment
	interrupts

	storeName string
	accountID string
	output    outputFormat
	yes       bool
	demo      bool
	timeout   time.Duration
	verbose   bool

	parsed bool // the arguments are valid
}

// run runs the program with the given arguments and returns its exit status.
func run(args []string, env environment) int {
	in, stop := env.watch()
	defer stop()
	a := &app{environment: env, interrupts: in, output: formatTable}
	root := newRootCommand(a)
	root.SetArgs(args)
	root.SetIn(env.stdin)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	err := root.ExecuteContext(in.second)
	if err != nil {
		fmt.Fprintln(env.stderr, "secretsstore:", strings.TrimPrefix(err.Error(), "secretsstore: "))
	}
	if err != nil && !a.parsed {
		fmt.Fprintln(env.stderr, "Run it with --help for usage.")
		return exitUsage
	}
	return exitStatus(err)
}

const usageTemplate = `Usage: {{.UseLine}}
{{- if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name 12}}{{.Short}}{{end}}{{end}}{{end}}
{{- if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}
{{- if .HasAvailableInheritedFlags}}

Global flags:
{{.InheritedFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}
`

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use: "secretsstore COMMAND",
		Long: `Manages a Cloudflare Secrets Store. Set CLOUDFLARE_ACCOUNT_ID, and
CLOUDFLARE_API_TOKEN or CLOUDFLARE_EMAIL with CLOUDFLARE_API_KEY. Exit status:
0 done, 1 failed, 2 usage, 3 partly done, 4 outcome unknown, 130 interrupted.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.timeout < 0 {
				return errors.New("--timeout must not be negative")
			}
			a.parsed = true
			return nil
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Hidden: true})
	root.SetUsageTemplate(usageTemplate)
	flags := root.PersistentFlags()
	flags.StringVar(&a.storeName, "store", "", "store to use, by `name|id` (default: the only one)")
	flags.StringVar(&a.accountID, "account-id", "", "account `id` (default: CLOUDFLARE_ACCOUNT_ID)")
	flags.VarP(&a.output, "output", "o", "output `format`: table or json")
	flags.BoolVar(&a.yes, "yes", false, "change without asking")
	flags.BoolVar(&a.demo, "demo", false, "use an in-memory store made for this command")
	flags.DurationVar(&a.timeout, "timeout", 0, "time limit (default: none; rotate: 2m)")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log requests to standard error")
	root.AddCommand(
		newListCommand(a), newBulkCommand(a), newSyncCommand(a), newRotateCommand(a),
		newEmulatorCommand(a), newDoctorCommand(a), newCompletionCommand(a), newVersionCommand(a),
	)
	for _, cmd := range append(root.Commands(), root) {
		cmd.Flags().SortFlags = false
		cmd.InitDefaultHelpFlag()
		cmd.Flags().Lookup("help").Hidden = true
		cmd.DisableFlagsInUseLine = true
	}
	return root
}

// withTimeout returns ctx bounded by --timeout.
func (a *app) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, a.timeout, errTimeout)
}

// contexts returns contexts for changes: intake ends at the first interrupt, and ctx at the
// second one. Both end after --timeout.
func (a *app) contexts() (ctx, intake context.Context, cancel func()) {
	ctx, cancelCtx := a.withTimeout(a.second)
	intake, cancelIntake := a.withTimeout(a.first)
	return ctx, intake, func() { cancelIntake(); cancelCtx() }
}

func newCompletionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print a shell's completion script",
		Long:      "Prints a completion script. For bash: source <(secretsstore completion bash)",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			return map[string]func() error{
				"bash":       func() error { return root.GenBashCompletionV2(a.stdout, true) },
				"zsh":        func() error { return root.GenZshCompletion(a.stdout) },
				"fish":       func() error { return root.GenFishCompletion(a.stdout, true) },
				"powershell": func() error { return root.GenPowerShellCompletionWithDesc(a.stdout) },
			}[args[0]]()
		},
	}
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Long: "Prints the version of the program and of Go.", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			fmt.Fprintf(a.stdout, "secretsstore %s %s %s/%s\n", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}

func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return cmp.Or(info.Main.Version, "(devel)")
}
