# One question about every flower: is this measurement above a threshold?
#
# Usage: rule.sh MEASURE SPECIES PERCENTILE
# IRIS names the data: a line with the counts and the species, then a line for each flower.
set -eu
measure=$1 species=$2 percentile=$3

case $measure in
    sepal-length) column=1 ;;
    sepal-width) column=2 ;;
    petal-length) column=3 ;;
    petal-width) column=4 ;;
    *) echo "rule.sh: unknown measure: $measure" >&2; exit 2 ;;
esac
[ -r "$IRIS" ] || { echo "rule.sh: there are no data: $IRIS" >&2; exit 2; }

label=$(awk -F, -v species="$species" '
    NR == 1 { for (i = 3; i <= NF; i++) if ($i == species) print i - 3 }' "$IRIS")
[ -n "$label" ] || { echo "rule.sh: unknown species: $species" >&2; exit 2; }

tail -n +2 "$IRIS" | sort -t, -k "$column,$column" -g |
    awk -F, -v column="$column" -v label="$label" -v percentile="$percentile" '
    {
        value[NR] = $column
        ours[NR] = $5 == label
        flowers[ours[NR]]++
    }
    END {
        threshold = value[int(percentile * (NR - 1) / 100) + 1]
        for (i = 1; i <= NR; i++)
            if ((value[i] > threshold) == ours[i])
                right[ours[i]]++
        # The mean of both shares, so that guessing is worth one half.
        score = (right[1] / flowers[1] + right[0] / flowers[0]) / 2
        # A rule that is mostly wrong is a good one when it is turned around.
        turned = score < 0.5
        printf "{\"threshold\": %s, \"score\": %.6f, \"turned\": %s}\n",
            threshold, turned ? 1 - score : score, turned ? "true" : "false"
    }'
