/* The cooling of a rod, u_t = a u_xx, whose ends are kept at zero.
 *
 * Usage: heat DECK PROFILE
 *
 * DECK has lines "key = value". At the beginning the temperature above that of the ends is
 * peak * sin(pi x / length), so that the exact solution is known. The last profile is written
 * to PROFILE, a summary to the standard output.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

struct deck {
    char scheme[32];
    double length, diffusivity, peak, dt;
    int cells, steps;
};

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "heat: %s: %s\n", what, which);
    exit(2);
}

static struct deck read_deck(const char *name)
{
    struct deck d = {"", 0, 0, 0, 0, 0, 0};
    char line[256], key[32], value[32];
    FILE *file = fopen(name, "r");

    if (!file)
        fail("cannot read", name);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#' || sscanf(line, "%31s = %31s", key, value) != 2)
            continue;
        if (!strcmp(key, "scheme"))
            strcpy(d.scheme, value);
        else if (!strcmp(key, "length"))
            d.length = atof(value);
        else if (!strcmp(key, "diffusivity"))
            d.diffusivity = atof(value);
        else if (!strcmp(key, "peak"))
            d.peak = atof(value);
        else if (!strcmp(key, "cells"))
            d.cells = atoi(value);
        else if (!strcmp(key, "dt"))
            d.dt = atof(value);
        else if (!strcmp(key, "steps"))
            d.steps = atoi(value);
        else
            fail("unknown key", key);
    }
    fclose(file);
    if (d.cells < 2 || d.steps < 1 || !(d.dt > 0 && d.length > 0 && d.diffusivity > 0))
        fail("a number is missing or not positive in", name);
    return d;
}

/* One step of the theta scheme; with theta = 0 there is no system to solve. */
static void step(double *u, double *rhs, double *upper, int n, double r, double theta)
{
    double a = theta * r, b = (1 - theta) * r, pivot = 1 + 2 * a;
    int i;

    for (i = 1; i < n; i++)
        rhs[i] = u[i] + b * (u[i - 1] - 2 * u[i] + u[i + 1]);
    upper[0] = 0;
    rhs[0] = 0;
    for (i = 1; i < n; i++) {
        double p = pivot - a * upper[i - 1];
        upper[i] = a / p;
        rhs[i] = (rhs[i] + a * rhs[i - 1]) / p;
    }
    for (i = n - 1; i > 0; i--)
        u[i] = rhs[i] + upper[i] * u[i + 1];
}

int main(int argc, char **argv)
{
    struct deck d;
    double theta = 0, h, r, end, decay, worst = 0, *u, *rhs, *upper;
    FILE *file;
    int i, n;

    if (argc != 3)
        fail("usage", "heat DECK PROFILE");
    d = read_deck(argv[1]);
    if (!strcmp(d.scheme, "explicit"))
        theta = 0;
    else if (!strcmp(d.scheme, "implicit"))
        theta = 1;
    else if (!strcmp(d.scheme, "crank-nicolson"))
        theta = 0.5;
    else
        fail("unknown scheme", d.scheme);

    n = d.cells;
    h = d.length / n;
    r = d.diffusivity * d.dt / (h * h);
    u = calloc(3 * (size_t)(n + 1), sizeof *u);
    if (!u)
        fail("no memory for", argv[1]);
    rhs = u + n + 1;
    upper = rhs + n + 1;
    for (i = 1; i < n; i++)
        u[i] = d.peak * sin(PI * i / n);
    for (i = 0; i < d.steps; i++)
        step(u, rhs, upper, n, r, theta);

    end = d.steps * d.dt;
    decay = exp(-d.diffusivity * PI * PI / (d.length * d.length) * end);
    file = fopen(argv[2], "w");
    if (!file)
        fail("cannot write", argv[2]);
    fprintf(file, "x,temperature\n");
    for (i = 0; i <= n; i++) {
        double exact = d.peak * decay * sin(PI * i / n);
        worst = fmax(worst, fabs(u[i] - exact));
        fprintf(file, "%.10g,%.10g\n", i * h, u[i]);
    }
    if (fclose(file))
        fail("cannot write", argv[2]);
    printf("end of the simulation: %.10g s\n", end);
    printf("largest error: %.10e K\n", worst);
    free(u);
    return 0;
}
