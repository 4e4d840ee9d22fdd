# How .ci/run runs its steps: one after the other, or in lanes side by side. The first that fails ends the run.

notes=$(mktemp -d)
lanes=()

# Runs a step; in a lane its output is kept, and printed whole at its end.
step() {
  local name=$1 started=$SECONDS outcome=passed bound=()
  shift
  # What hangs shows what it said before the whole run is over.
  [ "$(type -t "$1")" = function ] || bound=(timeout --foreground --kill-after=30 40m)
  echo "=== $name: $*"
  if [ -z "${lane:-}" ]; then
    "${bound[@]}" "$@" || outcome=FAILED
  else
    "${bound[@]}" "$@" >"$notes/$lane" 2>&1 || outcome=FAILED
  fi
  printf '%6d s  %s%s %s\n' $((SECONDS - started)) "${lane:+$lane: }" "$name" $outcome >>"$notes/table"
  (
    flock 9
    if [ -n "${lane:-}" ]; then echo "=== $name, all that it said:" && cat "$notes/$lane"; fi
    echo "=== $name: $outcome after $((SECONDS - started)) s"
  ) 9>"$notes/lock"
  [ $outcome = passed ]
}

# Runs functions full of steps side by side, each in a process group of its own.
side_by_side() {
  set -m
  for lane in "$@"; do
    (
      set +m
      "$lane"
    ) &
    lanes+=($!)
  done
  set +m
  unset lane
  for _ in "$@"; do wait -n || exit 1; done
  lanes=()
}

# Ends what still runs, which has a minute to clean up after itself, and says where the time went.
finish() {
  local status=$? group
  trap - EXIT
  for group in "${lanes[@]}"; do
    kill -TERM -- "-$group" 2>/dev/null || continue
    echo "=== another lane is stopped"
    for _ in $(seq 1 120); do
      kill -0 -- "-$group" 2>/dev/null || break
      sleep 0.5
    done
    kill -KILL -- "-$group" 2>/dev/null || true
  done
  echo '=== where the time went:'
  cat "$notes/table" || true
  rm -rf "$notes"
  if [ $status = 0 ]; then echo "=== all of CI passed in $SECONDS s"; else echo "=== CI failed after $SECONDS s"; fi
  exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM
