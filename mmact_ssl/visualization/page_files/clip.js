'use strict';

// A clip as a figure: its playing picture above its name, and what else is to be said.
function makeFigure(clip, note) {
  const figure = document.createElement('figure');
  const image = document.createElement('img');
  const caption = document.createElement('figcaption');
  image.loading = 'lazy';
  image.alt = '';
  if (clip.thumb) image.src = clip.thumb;
  const text = note === undefined ? clip.name : `${note} ${clip.name}`;
  // Long names break at their marks.
  for (const part of text.split(/(?<=[/_])/)) caption.append(part, document.createElement('wbr'));
  figure.append(image, caption);
  figure.tabIndex = 0;
  return figure;
}
