"""Train a support vector machine on handwritten digits, and print how good it is."""

import argparse
import json

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-C", type=float, default=1.0, help="what an error costs")
    parser.add_argument("--gamma", type=float, default=0.01, help="width of the kernel")
    parser.add_argument("--size", type=int, default=500, help="digits to learn from")
    parser.add_argument("--seed", type=int, default=0, help="which digits these are")
    options = parser.parse_args()
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data,
        digits.target,
        train_size=options.size,
        stratify=digits.target,
        random_state=options.seed,
    )
    model = make_pipeline(StandardScaler(), SVC(C=options.C, gamma=options.gamma))
    model.fit(train_x, train_y)
    vectors = int(model[-1].n_support_.sum())
    print(json.dumps({"accuracy": model.score(test_x, test_y), "vectors": vectors}))


if __name__ == "__main__":
    main()
