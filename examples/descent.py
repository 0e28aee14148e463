"""Gradient descent on curves and surfaces: learning rates, local minima, a saddle, and every optimizer on Rosenbrock.

python examples/descent.py [--plot descent.png]
"""

import argparse
from dataclasses import dataclass

import numpy as np

import thalweg
from thalweg import layers, plotting

# On a curve: x^4/4 - x^2/2 + x/5 has a deep valley on the left, a shallow one on the right, and a top between.


def curve(x):
    return x**4 / 4 - x**2 / 2 + x / 5


def descend(function, start, rate, steps):
    """The places of gradient descent, the rule itself: x <- x - rate * slope. Ends where the slope overflows."""
    slope_at = thalweg.grad(function)
    places = [np.asarray(start, np.float64)]
    for _ in range(steps):
        if np.abs(places[-1]).max() > 1e3:
            break
        places.append(places[-1] - rate * slope_at(places[-1]))
    return np.array(places)


RATES = {"too small": 0.01, "good": 0.3, "overshooting": 0.7, "diverging": 2.5}


def saddle(p):
    """A saddle at (0, 0): a valley along x, falling off along y on both sides; minima at y = -1 and 1."""
    return p[0] ** 2 / 2 + p[1] ** 4 / 4 - p[1] ** 2 / 2


# On a surface: Rosenbrock's banana, a flat bent valley with steep sides. Minimum 0 at (1, 1).

START = (-1.5, 1.5)


def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


@dataclass(eq=False)
class Surface(layers.Layer):
    """A layer whose only parameter is a place, and whose output is the height there; so any optimizer can train it."""

    def build(self, x):
        self.place = self.parameter("place", (2,))

    def call(self, x, training):
        return x * 0 + rosenbrock(self.place.node)


# Rates that suit this surface. An optimizer that is not named here gets 0.01.
RATES_HERE = {
    "sgd": 5e-4,
    "adagrad": 1.0,
    "adadelta": 1.0,
    "rmsprop": 0.01,
    "adam": 0.1,
    "adam_w": 0.1,
    "adamax": 1.0,
    "nadam": 0.1,
    "lion": 0.005,
    "lamb": 0.02,
    "muon": 0.1,
    "lbfgs": 1.0,
}


def every_optimizer():
    """Label -> optimizer: all that are registered, and the two kinds of momentum."""
    registry = thalweg.optimizers.registry
    found = {name: registry.find(name)(learning_rate=RATES_HERE.get(name, 0.01)) for name, _ in registry.items()}
    momentum = {"learning_rate": RATES_HERE["sgd"], "momentum": 0.9}
    found["sgd, momentum"] = thalweg.optimizers.SGD(**momentum)
    found["sgd, Nesterov"] = thalweg.optimizers.SGD(**momentum, nesterov=True)
    return found


def path_of(optimizer, steps=1500):
    """The places that an optimizer goes through, (steps + 1, 2)."""
    model = thalweg.Sequential([thalweg.Input((1,)), Surface()])
    model.compile(optimizer, loss=lambda y_true, y_pred: y_pred)
    model.set_weights([np.array(START, np.float32)])
    one = np.zeros((1, 1), np.float32)
    places = [model.get_weights()[0]]
    for _ in range(steps):
        model.train_on_batch(one, one)
        places.append(model.get_weights()[0])
    return np.array(places)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Gradient descent on a curve, at a saddle, and on Rosenbrock.")
    parser.add_argument("--plot", metavar="FILE", help="draw the paths (needs matplotlib)")
    options = parser.parse_args(arguments)

    height = thalweg.compile_function(curve)
    print("On the curve x^4/4 - x^2/2 + x/5, 30 steps from x = -1.6:")
    rates = {name: descend(curve, -1.6, rate, 30) for name, rate in RATES.items()}
    for name, places in rates.items():
        turns = int(np.sum(np.diff(np.sign(np.diff(places))) != 0))
        end = f"x = {places[-1]:6.3f}" if abs(places[-1]) < 1e3 else f"off to infinity after {len(places) - 1} steps"
        print(f"  {name:<13} rate {RATES[name]:<5} {end}, direction changed {turns} times")
    print("The same from elsewhere, rate 0.3: where it starts decides which valley it finds.")
    starts = {start: descend(curve, start, 0.3, 60)[-1] for start in (-1.6, 0.0, 0.2, 0.5, 1.5)}
    for start, end in starts.items():
        print(f"  from {start:4.1f} to {end:6.3f}, height {float(height(end)):6.3f}")

    print("At the saddle of x^2/2 + y^4/4 - y^2/2, rate 0.1:")
    saddles = {start: descend(saddle, start, 0.1, 200) for start in ((1.0, 0.0), (1.0, 1e-6))}
    for corner, places in saddles.items():
        lingered = int(np.sum(np.abs(places[:, 1]) < 0.1))
        print(f"  from {corner}: ends at ({places[-1][0]:.3f}, {places[-1][1]:.3f}), {lingered} steps near the ridge")

    paths = {name: path_of(optimizer) for name, optimizer in every_optimizer().items()}
    print(f"On Rosenbrock's valley from {START}, 1500 steps:")
    for name, places in paths.items():
        x, y = map(float, places[-1])
        print(f"  {name:<13} ends at ({x:6.3f}, {y:6.3f}), height {rosenbrock((x, y)):.2e}")
    if options.plot:
        draw(rates, saddles, paths, options.plot)
    return {"rates": rates, "starts": starts, "saddles": saddles, "paths": paths}


def draw(rates, saddles, paths, file):
    figure = plotting.figure(figsize=(15, 9), layout="constrained")
    top, bottom = figure.subfigures(2, 1).flat
    xs = np.linspace(-2.2, 2.2, 200)
    for axes, (name, places) in zip(top.subplots(1, len(rates)), rates.items(), strict=True):
        axes.plot(xs, curve(xs), color="grey")
        axes.plot(places, curve(places), "o-", markersize=4)
        axes.set(title=f"{name}: rate {RATES[name]}", xlim=(-2.2, 2.2), ylim=(-1, 2.5))
    left, right = bottom.subplots(1, 2, width_ratios=(1, 2))
    grid = np.meshgrid(np.linspace(-1.2, 1.2, 100), np.linspace(-1.3, 1.3, 100))
    left.contour(*grid, saddle(grid), levels=20, cmap="Greys")
    for start, places in saddles.items():
        left.plot(*places.T, ".-", label=f"from {start}")
    left.set_title("a saddle")
    grid = np.meshgrid(np.linspace(-2, 2, 200), np.linspace(-1, 3, 200))
    right.contour(*grid, rosenbrock(grid), levels=np.logspace(-1, 3, 15), norm="log", cmap="Greys")
    for number, (name, places) in enumerate(paths.items()):  # more than there are colours: each has a line of its own
        right.plot(*places.T, ("-", "--", ":")[number // 10 % 3], color=f"C{number % 10}", label=name)
    right.plot(1, 1, "*", color="black", markersize=12)
    right.set(title="Rosenbrock's valley", xlim=(-2, 2), ylim=(-1, 3))
    for axes in (left, right):
        axes.legend(fontsize=8)
    figure.savefig(file)


if __name__ == "__main__":
    main()
