"""A program written for PyTorch, as its beginners' tutorial has it, with nothing changed but the imports and the data.

`program` is that program: it gets what the import lines bind and what the data lines make, and runs with both.
"""

from __future__ import annotations

import numpy as np
import pytest

import minidl
from minidl import data as minidl_data

CLASSES = minidl_data.sources.cifar10.CLASSES


def program(torch, nn, F, optim, trainloader, testloader, classes, epochs, print):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 6, 5)
            self.pool = nn.MaxPool2d(2, 2)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1 = nn.Linear(16 * 5 * 5, 120)
            self.fc2 = nn.Linear(120, 84)
            self.fc3 = nn.Linear(84, 10)

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            x = torch.flatten(x, 1)
            x = F.relu(self.fc1(x))
            x = F.relu(self.fc2(x))
            x = self.fc3(x)
            return x

    class OldNet(Net):
        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            x = x.view(-1, 16 * 5 * 5)
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))

    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.001, momentum=0.9)

    for epoch in range(epochs):
        running_loss = 0.0
        for i, data in enumerate(trainloader, 0):
            inputs, labels = data
            optimizer.zero_grad()
            outputs = net(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            if i % 100 == 99:
                print(f"[{epoch + 1}, {i + 1:5d}] loss: {running_loss / 100:.3f}")
                running_loss = 0.0

    images, labels = next(iter(testloader))
    print("GroundTruth: ", " ".join(f"{classes[labels[j]]:5s}" for j in range(4)))
    outputs = net(images)
    _, predicted = torch.max(outputs, 1)
    print("Predicted: ", " ".join(f"{classes[predicted[j]]:5s}" for j in range(4)))

    same = OldNet()
    same.load_state_dict(net.state_dict())
    print("Same: ", bool((same(images) == outputs).all()))

    correct, total = 0, 0
    with torch.no_grad():
        for data in testloader:
            images, labels = data
            outputs = net(images)
            _, predicted = torch.max(outputs.data, 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    print(f"Accuracy of the network on the {total} test images: {100 * correct / total:.1f} %")

    correct_pred = {classname: 0 for classname in classes}
    total_pred = {classname: 0 for classname in classes}
    with torch.no_grad():
        for data in testloader:
            images, labels = data
            outputs = net(images)
            _, predictions = torch.max(outputs, 1)
            for label, prediction in zip(labels, predictions):
                if label == prediction:
                    correct_pred[classes[label]] += 1
                total_pred[classes[label]] += 1
    for classname, correct_count in correct_pred.items():
        print(f"Accuracy for class: {classname:5s} is {100 * float(correct_count) / total_pred[classname]:.1f} %")


def patterns(number, seed):
    """Images of ten patterns under noise, from -1 to 1, and the numbers of their patterns."""
    coarse = np.random.default_rng(0).normal(size=(10, 3, 4, 4))
    labels = np.arange(number) % 10
    noise = np.random.default_rng(seed).normal(size=(number, 3, 32, 32))
    images = coarse.repeat(8, 2).repeat(8, 3)[labels] + 0.3 * noise
    return images.clip(-1, 1).astype(np.float32), labels


def print_to(lines):
    return lambda *words: lines.append(" ".join(map(str, words)))


def check(lines, accuracy):
    losses = [float(line.split()[-1]) for line in lines if "loss:" in line]
    assert losses[0] > 2
    assert losses[-1] < losses[0] - 0.1
    assert "Same:  True" in lines
    (summary,) = [line for line in lines if "test images" in line]
    assert float(summary.split()[-2]) > accuracy
    per_class = [float(line.split()[-2]) for line in lines if "for class" in line]
    assert len(per_class) == 10
    assert max(per_class) > accuracy


@pytest.mark.parametrize("library", ["minidl", "torch"])
def test_the_program_learns_patterns(library):
    train, test = patterns(2000, 1), patterns(200, 2)
    lines = []
    if library == "minidl":
        import minidl as torch
        import minidl.functional as F
        import minidl.nn as nn
        import minidl.optim as optim

        trainset, testset = (minidl_data.TensorDataset(*arrays) for arrays in (train, test))
        trainloader = minidl_data.DataLoader(trainset, batch_size=4, shuffle=True)
        testloader = minidl_data.DataLoader(testset, batch_size=4, shuffle=False)
    else:
        torch = pytest.importorskip("torch")
        torch.set_num_threads(1)  # more would wait for one another on a busy machine
        nn, F, optim = torch.nn, torch.nn.functional, torch.optim
        trainset, testset = (torch.utils.data.TensorDataset(*map(torch.from_numpy, arrays)) for arrays in (train, test))
        trainloader = torch.utils.data.DataLoader(trainset, batch_size=4, shuffle=True)
        testloader = torch.utils.data.DataLoader(testset, batch_size=4, shuffle=False)
    torch.manual_seed(0)
    program(torch, nn, F, optim, trainloader, testloader, CLASSES, 2, print_to(lines))
    check(lines, accuracy=60)


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:CIFAR-10")
def test_the_program_learns_photographs(data_folder):
    import minidl.functional as F
    import minidl.nn as nn
    import minidl.optim as optim
    from minidl.data import DataLoader, Subset, cifar10, transforms

    transform = transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    trainset, testset = cifar10(data_folder)
    trainset.transform = testset.transform = transform
    trainloader = DataLoader(Subset(trainset, range(10_000)), batch_size=4, shuffle=True)
    testloader = DataLoader(testset, batch_size=4)
    minidl.manual_seed(0)
    lines = []
    program(minidl, nn, F, optim, trainloader, testloader, CLASSES, 1, print_to(lines))
    check(lines, accuracy=20)
