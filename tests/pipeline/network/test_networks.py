import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import silu

from pipeline.network.lists import Lists
from pipeline.network.missing_tokens_network import MissingTokensNetwork
from pipeline.network.target_network import TargetNetwork, network_of

LISTS = Lists.after_each_other(np.array([0, 1, 1]), np.array([2, 0, 1]))  # (0, 1), () and (1,)
WEIGHTED = Lists.after_each_other(np.array([0, 1, 1]), np.array([2, 0, 1]), np.array([3.0, 1.0, 5.0]))
TABLE = torch.tensor([[1.0, 0.0], [0.0, 2.0]])


def test_logits_by_hand() -> None:
    """Bags at (0, 0) and (0, 2), tokens at (1, 0) and (0, 2), each lifted by 1 and brought to length 1.

    The cosines are 1 / sqrt(2) and 1 / sqrt(5) for the first, 1 / sqrt(10) and 1 for the second; they are divided by
    the temperature 1/2, and the bias (0, 1) is added.
    """
    network = MissingTokensNetwork(TABLE, torch.tensor([0.0, 1.0]), lift=1.0, temperature=0.5, dropout=0.0)
    logits = network(Lists.after_each_other(np.array([1]), np.array([0, 1]))).detach()
    expected = torch.tensor([[2 / 2**0.5, 2 / 5**0.5 + 1], [2 / 10**0.5, 3.0]])
    torch.testing.assert_close(logits, expected)


def test_a_bag_is_the_mean_of_its_tokens_places() -> None:
    network = MissingTokensNetwork(TABLE, torch.zeros(2), lift=2.0, temperature=1.0, dropout=0.0)
    vectors = network.hidden(LISTS).detach()  # means (1/2, 1), (0, 0), (0, 2), each with a 2
    expected = torch.nn.functional.normalize(torch.tensor([[0.5, 1.0, 2.0], [0.0, 0.0, 2.0], [0.0, 2.0, 2.0]]), dim=1)
    torch.testing.assert_close(vectors, expected)


def test_a_token_counts_in_its_bag_as_much_as_it_weighs() -> None:
    """Means (3/4, 2/4), (0, 0) and, of one token alone, its own place; sums (3, 1/2), (0, 0), (0, 5/2)."""
    network = MissingTokensNetwork(TABLE, torch.zeros(2), lift=2.0, temperature=1.0, dropout=0.0)
    places = torch.tensor([[0.75, 0.5, 2.0], [0.0, 0.0, 2.0], [0.0, 2.0, 2.0]])
    torch.testing.assert_close(network.hidden(WEIGHTED).detach(), torch.nn.functional.normalize(places, dim=1))
    of_target = TargetNetwork(TABLE, torch.tensor([1.0, 0.5]), torch.zeros(2), 0, hidden=4, dropout=0.0, outputs=1)
    torch.nn.init.ones_(of_target.line.weight)
    assert of_target(WEIGHTED, torch.empty(3, 0)).tolist() == [[4.0], [0.0], [5.0]]


def test_a_number_is_a_sum_over_the_words_where_the_line_alone_speaks() -> None:
    """Weights 1 and 1/2: the sums are (1, 1), (0, 0), (0, 1); the line adds up its inputs, dense feature included."""
    network = TargetNetwork(
        TABLE, torch.tensor([1.0, 0.5]), torch.zeros(2), n_dense=1, hidden=4, dropout=0.0, outputs=1
    )
    torch.nn.init.ones_(network.line.weight)
    dense = torch.tensor([[10.0], [20.0], [30.0]])
    assert network(LISTS, dense).tolist() == [[12.0], [20.0], [31.0]]


def test_bags_of_one_length_have_it_however_many_words_they_have() -> None:
    """Weights (1, 3/4) are 5/4 long, and 2 long as (1.6, 1.2): the sums are (1.6, 2.4), (0, 0) and (0, 4)."""
    network = TargetNetwork(
        TABLE, torch.tensor([1.0, 0.75]), torch.zeros(2), n_dense=0, hidden=4, dropout=0.0, outputs=1, length=2.0
    )
    torch.nn.init.ones_(network.line.weight)
    expected = torch.tensor([[4.0], [0.0], [4.0]])
    torch.testing.assert_close(network(LISTS, torch.empty(3, 0)).detach(), expected)
    again = network_of(network.state_dict())
    torch.testing.assert_close(again(LISTS, torch.empty(3, 0)).detach(), expected)


def test_members_have_signs_of_their_own_and_the_output_is_their_mean() -> None:
    """Three members: of a number x the second sees -x, and the third has nodes of the opposite sign."""
    torch.manual_seed(0)
    network = TargetNetwork(TABLE, torch.ones(2), torch.zeros(2), 1, hidden=4, dropout=0.0, outputs=1, members=3)
    assert {abs(sign) for signs in (network.views, network.signs) for sign in signs.flatten().tolist()} == {1.0}
    with torch.no_grad():
        network.views.copy_(torch.tensor([[1.0], [-1.0], [1.0]]))
        network.signs.copy_(torch.tensor([[1.0], [1.0], [-1.0]]).expand(3, 4))
        network.outer.weight.copy_(torch.tensor([[1.0], [2.0], [3.0]]).expand(3, 4))
    place, number = torch.tensor([[0.3, -0.2]]), torch.tensor([[2.0]])

    def by_hand(view: float, sign: float, factor: float) -> Tensor:
        nodes = silu(sign * network.first(torch.cat([place, view * number], dim=1)))
        return factor * silu(network.second(nodes)).sum() + network.line(torch.cat([place, number], dim=1)).sum()

    found = network.of_members(place, number)
    torch.testing.assert_close(found.flatten(), torch.stack([by_hand(1, 1, 1), by_hand(-1, 1, 2), by_hand(1, -1, 3)]))
    one = Lists.after_each_other(np.array([0]), np.array([1]))
    mean = network.of_members(network.coordinates(one), number).mean(dim=1)
    torch.testing.assert_close(network(one, number), mean)
    torch.testing.assert_close(network_of(network.state_dict())(one, number), mean)


def test_a_fit_of_an_earlier_version_has_one_member() -> None:
    network = TargetNetwork(TABLE, torch.ones(2), torch.zeros(2), 1, hidden=4, dropout=0.0, outputs=2)
    torch.nn.init.ones_(network.outer.weight)
    earlier = {name: value for name, value in network.state_dict().items() if name not in ("views", "signs", "length")}
    number = torch.tensor([[1.0], [2.0], [3.0]])
    torch.testing.assert_close(network_of(earlier)(LISTS, number), network(LISTS, number))


def test_words_are_dropped_in_training_only_and_the_sum_keeps_its_mean() -> None:
    torch.manual_seed(0)
    network = TargetNetwork(
        torch.ones(1, 1), torch.ones(1), torch.zeros(1), n_dense=0, hidden=1, dropout=0.0, outputs=1
    )
    many = Lists.after_each_other(np.zeros(10_000, np.int64), np.ones(10_000, np.int64))
    assert (network.eval().coordinates(many, 0.5) == 1).all()
    dropped = network.train().coordinates(many, 0.5).detach()
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert abs(float(dropped.mean()) - 1) < 0.05  # 5 standard errors of 10,000 fair coins


def test_nodes_are_left_out_by_plain_random_numbers_and_the_others_make_up_for_them() -> None:
    """By `torch.rand`, which draws the same everywhere; PyTorch's own dropout differs on Intel's processors."""
    vectors = torch.ones(4, 1)
    network = MissingTokensNetwork(torch.ones(2, 1), torch.zeros(2), lift=1.0, temperature=1.0, dropout=0.25)
    torch.manual_seed(0)
    dropped = network.hidden_of(vectors).detach()
    torch.manual_seed(0)
    kept = torch.rand(4, 2) >= 0.25
    torch.testing.assert_close(dropped, kept * 2**-0.5 / 0.75)
    torch.testing.assert_close(network.eval().hidden_of(vectors).detach(), torch.full((4, 2), 2**-0.5))
