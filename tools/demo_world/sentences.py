"""Sentences that describe a clip without naming its class."""

from __future__ import annotations

import numpy as np

from .render import COLOR_NAMES, Clothes
from .scene import Scene

# Movements of the limbs without the name of the action; {side} is the active side.
MOVEMENTS = {
    'wave': (
        'holds the {side} forearm up beside the head and swings it from side to side',
        'moves a raised {side} hand left and right again and again',
    ),
    'clap': (
        'brings both palms together in front of the chest and parts them again',
        'lets the two hands meet repeatedly at chest height',
    ),
    'drink': (
        'lifts a round vessel to the face with the {side} hand and lowers it again',
        'bends the {side} elbow until the mug in the hand reaches the mouth',
    ),
    'phone_call': (
        'lifts a flat dark device to the face with the {side} hand and lowers it again',
        'bends the {side} elbow until the handset in the hand reaches the ear',
    ),
    'sit_down': (
        'moves the hips back and down until they rest on a stool',
        'leans forward, bends both knees and ends up low with the thighs level',
    ),
    'stand_up': (
        'leaves the stool and straightens both knees until the body is upright',
        'leans forward, pushes the hips up and ends tall',
    ),
    'walk': (
        'sets one foot before the other while the arms swing against the legs',
        'takes even steps forward',
    ),
    'kick': (
        'swings the {side} leg back and snaps it forward to hip height',
        'lifts a straightening {side} leg fast in front of the body',
    ),
    'punch': (
        'shoots one fist after the other straight forward from a guard',
        'stands with one foot ahead and extends the arms in quick alternation',
    ),
    'jumping_jack': (
        'jumps with arms and legs spreading sideways and closing again',
        'raises both arms overhead by the sides while the feet hop apart',
    ),
    'bow': (
        'bends the trunk far forward over straight legs and comes up again',
        'lowers the head and chest in front and then rises',
    ),
    'throw': (
        'draws the {side} hand back above the shoulder and whips it forward and down',
        'turns the trunk and slings the {side} arm over the shoulder with a step',
    ),
}


def describe(scene: Scene, clothes: Clothes, rng: np.random.Generator) -> list[str]:
    """Write six sentences on person, movement and camera, without the name of the class."""
    side = ('left', 'right')[scene.active_side]
    first, second = (text.format(side=side) for text in MOVEMENTS[scene.action])
    height, tempo = scene.subject.body.height, scene.style.tempo
    size = 'short' if height < 1.62 else 'tall' if height > 1.8 else 'middle-sized'
    shirt, trousers = COLOR_NAMES[clothes.shirt], COLOR_NAMES[clothes.trousers]
    pace = 'slowly' if tempo < 0.92 else 'briskly' if tempo > 1.1 else 'at an even pace'
    view = 'from above' if scene.camera.elevation > np.deg2rad(14) else 'at eye level'
    legs = 'trousers' if clothes.long_trousers else 'shorts'
    sentences = [
        f'A {size} person in a {shirt} top {first}.',
        f'A person {second}.',
        f'Seen {view}, somebody {first} {pace}.',
        f'Somebody in {trousers} {legs} {second}.',
        f'The person {first}; the movement is done {pace}.',
        f'A figure wearing {shirt} and {trousers} {second}, filmed {view}.',
    ]
    return [sentences[i] for i in rng.permutation(len(sentences))]
