"""Common English words, of one to four syllables, for a speech engine to say as other words."""

_TEXT = """
    about above across after again agree air all almost alone along already always amber animal answer apple april area
    arm around arrive asking autumn avenue away baby back balance banana basket battery beautiful because become before
    begin behind believe below better between bicycle big bird black blanket blue board boat body book bottle bottom
    bread breakfast bridge bright bring brother brown build business butter button call camera candle carry castle
    catch center chair change cheese chicken children chocolate circle city clean clear climb close cloud coffee cold
    color come company cook corner could country cousin cover cream cross curtain dance danger daughter day december
    deep dinner doctor dog door double dream drink drive dry early earth east easy eight electric eleven email empty
    energy engine enough evening every example eye face fair fall family famous far farmer fast father february feel
    fence few field fifteen finger finish fire first fish five flag floor flower follow food foot forest forget fork
    forty forward four free fresh friday friend front fruit full future game garden gas gentle give glad glass goat
    gold good grandmother grass gray great green ground group grow guitar hair half hammer hand happen hard have head
    hear heart heavy hello help here high hill history hold holiday home honey horse hospital hot hour house hundred
    hungry ice idea inside island january job journey juice july jump june keep kettle key kind king kitchen knife know
    ladder lady lake lamp language large last late laugh lead leaf learn leather lemon letter level library light like
    line lion listen little live long look love low lunch machine magazine make man many map march market matter maybe
    meal measure meat medicine meet memory metal middle milk mind minute mirror monday money monkey month moon morning
    mother mountain mouse mouth move movie much museum music must name narrow near neck need never new news next nice
    night nine nobody noise north nose nothing november number ocean october office often old once one onion open
    orange order other outside over own page paint pair paper parent park party pass people pepper perfect person phone
    photo piano picture piece pillow plane plant plate play please pocket police potato power present pretty problem
    pull pupil purple push question quick quiet rabbit radio rain read ready really red remember rest rice ride right
    ring river road rock roof room round run sad salad salt same sandwich saturday save school science sea season
    second see seven shadow sheep ship shirt shoe shop short should shoulder show sing sister sit six sky sleep slow
    small smile snow soap soft some song soon south space spider spoon sport spring square stair stand star start
    station stay stone stop story street strong student sugar summer sun sunday sure sweet swim table take talk tall
    teacher telephone television tell ten thank theater then there thing think thirsty three thunder thursday ticket
    tiger time tired today together tomato tomorrow tonight tool tooth top towel tower train travel tree triangle
    trouble true tuesday turn turtle twelve twenty two umbrella uncle under until upon usual vacation valley vegetable
    very video village violet visit voice volume wait walk wall want warm wash watch water weather wednesday week well
    west wheel where white wide wife wind window winter wish with woman wonderful wood word work world write year
    yellow yes yesterday young zebra zero
"""

WORDS: tuple[str, ...] = tuple(_TEXT.split())
