# Integrate dx/dt = -rate x, x(0) = 1, by the explicit Euler method.
#
#   awk -v rate=1 -v steps=100 -v dt=0.01 -v out=DIRECTORY -f decay.awk
#
# DIRECTORY gets trajectory.csv, with the exact solution beside the computed one, and at
# the end result.txt, lines of "key = value".

function fail(text) {
    print "decay.awk: " text > "/dev/stderr"
    exit 1
}

BEGIN {
    if (out == "") fail("the variable out is not set")
    if (steps < 1 || dt <= 0) fail("steps and dt must be positive")
    trajectory = out "/trajectory.csv"
    print "t,x,exact" > trajectory
    x = 1
    for (n = 0; n <= steps; n++) {
        t = n * dt
        exact = exp(-rate * t)
        error = x > exact ? x - exact : exact - x
        if (error > largest) largest = error
        printf "%.10g,%.10g,%.10g\n", t, x, exact > trajectory
        last = x
        x -= dt * rate * x
    }
    close(trajectory)

    result = out "/result.txt"
    printf "time = %.10g\n", t > result
    printf "final = %.10g\n", last > result
    printf "error = %.10g\n", error > result
    printf "largest error = %.10g\n", largest > result
    close(result)
}
