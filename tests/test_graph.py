"""The recorded graph as data and as a drawing: every node's value and gradient, clear errors."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import minidl
from minidl import functional as F
from minidl import nn, visualize
from minidl.autograd import trace


def example():
    w, x = minidl.tensor(2.0, requires_grad=True), minidl.tensor([3.0, 1.0], requires_grad=True)
    with minidl.debug():
        loss = ((w * x - 5) ** 2).sum() + w
    return w, x, loss


def test_each_node_has_its_value_and_its_gradient():
    w, x, loss = example()
    nodes = trace(loss)
    assert [node.name for node in nodes] == ["leaf", "leaf", "Mul", "Sub", "Pow", "Sum", "Add"]
    product, difference, power = nodes[2:5]
    np.testing.assert_allclose(product.value, [6, 2])
    np.testing.assert_allclose(difference.gradient, [2 * 1, 2 * -3])  # 2 * (w * x - 5)
    np.testing.assert_allclose(power.gradient, [1, 1])
    assert nodes[0].tensor is w and float(nodes[0].gradient) == 2 * 1 * 3 + 2 * -3 * 1 + 1
    assert [node.inputs for node in nodes] == [[], [], [0, 1], [2], [3], [4], [5, 0]]
    loss.backward()  # the graph is still there
    assert float(w.grad) == float(nodes[0].gradient) and np.array_equal(x.grad.numpy(), nodes[1].gradient)


def test_operations_with_several_results_are_one_node():
    x = minidl.tensor([[1.0, 5.0], [7.0, 2.0]], requires_grad=True)
    with minidl.debug():
        values, _ = x.max(1)
        first, second = F.split(x, 1)
        loss = (values * first[0]).sum() + second.sum()
    nodes = trace(loss)
    leaf = next(node for node in nodes if node.name == "leaf")
    loss.backward()
    np.testing.assert_allclose(leaf.gradient, x.grad.numpy())
    assert all(source < number for number, node in enumerate(nodes) for source in node.inputs)


def test_a_mean_is_one_operation():
    x = minidl.tensor([[1.0, 5.0], [7.0, 2.0]], requires_grad=True)
    with minidl.debug():
        loss = (x * x).mean()
    assert [node.name for node in trace(loss)] == ["leaf", "Mul", "Mean"]


def test_what_cannot_be_traced_says_why():
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="inside `with minidl.debug\\(\\):`"):
        trace((x * x).sum())
    with pytest.raises(RuntimeError, match="one recorded number"):
        trace(x * x)
    with pytest.raises(RuntimeError, match="one recorded number"):
        trace(minidl.tensor(1.0))


def test_the_drawing_is_whole_svg_with_a_box_for_each_node(tmp_path):
    w, x, loss = example()
    drawing = visualize.graph(loss, {"w": w, "<x>": x})
    root = ET.fromstring(drawing.svg)  # well-formed, the name escaped
    space = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in root.iter(f"{space}text")]
    assert len(list(root.iter(f"{space}rect"))) == 7 + 1 and "w" in texts and "<x>" in texts
    assert "grad 1" in texts and "(2,)  |.| 4" in texts
    boxes = [(float(rect.get("x")), float(rect.get("y"))) for rect in list(root.iter(f"{space}rect"))[1:]]
    assert len(set(boxes)) == 7, "no box lies on another"
    drawing.save(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text() == drawing._repr_svg_()


def test_a_network_can_be_drawn():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with minidl.debug():
        loss = F.cross_entropy(model(np.ones((5, 3), np.float32)), np.array([0, 1, 0, 1, 1]))
    svg = visualize.graph(loss, dict(model.named_parameters())).svg
    assert all(f">{name}<" in svg for name in ("0.weight", "2.bias", "CrossEntropy"))


def test_a_graph_too_large_to_read_is_refused():
    x = minidl.tensor(1.0, requires_grad=True)
    with minidl.debug():
        y = x
        for _ in range(300):
            y = y + 1
    with pytest.raises(ValueError, match="301 nodes; more than 300"):
        visualize.graph(y)
