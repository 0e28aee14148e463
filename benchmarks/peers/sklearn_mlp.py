"""scikit-learn's MLPClassifier, one ``partial_fit`` per epoch. (Its biases start uniform, not zero.)"""

import sklearn
from sklearn.neural_network import MLPClassifier

from benchmarks.arrays import Arrays
from benchmarks.peers.task import Clock, Task
from benchmarks.workloads import BETA_1, BETA_2, EPSILON


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """No penalty, as elsewhere; ``assume_finite`` spares each epoch a scan of the data for NaN."""
    workload = task.workload
    classes = list(range(workload.source.classes))
    model = MLPClassifier(
        hidden_layer_sizes=workload.sizes[1:-1],
        solver=workload.optimizer.name,
        learning_rate_init=workload.optimizer.learning_rate,
        batch_size=workload.batch_size,
        beta_1=BETA_1,
        beta_2=BETA_2,
        epsilon=EPSILON,
        alpha=0.0,
        random_state=task.seed,
    )
    clock.ready()
    with sklearn.config_context(assume_finite=True):
        for _ in range(task.epochs):
            model.partial_fit(arrays.x_train, arrays.y_train, classes=classes)
            clock.epoch(model.loss_)
    return float(model.score(arrays.x_test, arrays.y_test))
