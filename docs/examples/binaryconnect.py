"""The training loop of a course with BinaryConnect; ``python binaryconnect.py`` trains a small network with it."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bench.techniques.binaryconnect import BC

EXAMPLES = 2048
device = "cuda" if torch.cuda.is_available() else "cpu"


def examples() -> tuple[Tensor, Tensor]:
    """Votes, and which side has more: in the place of your images."""
    votes = torch.randn(EXAMPLES, 64)
    return votes, (votes.sum(1) > 0).long()


def right(mymodelbc: BC, loader: DataLoader[tuple[Tensor, ...]]) -> int:
    """Return how many answers are right with binary weights."""
    mymodelbc.model.eval()
    with mymodelbc.binarized(), torch.no_grad():  # or binarization() before, and restore() after
        return sum(int((mymodelbc(x.to(device)).argmax(1).cpu() == y).sum()) for x, y in loader)


def train(epochs: int = 3) -> BC:
    loader = DataLoader(TensorDataset(*examples()), batch_size=64, shuffle=True)
    mymodel = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 2))
    mymodelbc = BC(mymodel)
    mymodelbc.model = mymodelbc.model.to(device)
    optimizer = torch.optim.Adam(mymodelbc.model.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        mymodelbc.model.train()
        for inputs, labels in loader:
            optimizer.zero_grad()
            mymodelbc.binarization()  # the weights are signs now, and the real ones are kept
            loss = criterion(mymodelbc(inputs.to(device)), labels.to(device))
            loss.backward()  # at the signs
            mymodelbc.restore()  # the real weights are back
            optimizer.step()  # and take the step
            mymodelbc.clip()  # to [-1, 1]
        print(f"epoch {epoch}: {right(mymodelbc, loader) / EXAMPLES:.1%} right with binary weights")
    return mymodelbc


if __name__ == "__main__":
    torch.manual_seed(0)
    train()
