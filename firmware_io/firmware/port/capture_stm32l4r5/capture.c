/* NUCLEO-L4R5ZI: a digital microphone with I2S (for example ICS-43434, INMP441) on SAI1 block A, its left channel.
 * Written against ST's RM0432 (reference manual) and DS12023 (pins); NOT RUN ON HARDWARE.
 *
 *     PE4  frame synchronisation (WS), PE5  bit clock (SCK), PE6  data (SD), all alternate function 13
 *
 * The SAI is master: HSI16 / 31 makes 32 bits of 16.13 kHz, 0.8 % above the rate that the model was trained with, within
 * the +-1 % of that oscillator. Its 16 bits are the upper ones of what such microphones send. DMA1 channel 1 fills the
 * buffer in a circle; its interrupts at half and at full buffer are the two halves. */
#include "port/capture.h"

#include "port/cortexm/cortexm.h"

#define RCC_AHB1ENR EKW_REGISTER(0x40021048u)
#define RCC_AHB1ENR_DMA1_DMAMUX1 ((1u << 0) | (1u << 2))
#define RCC_AHB2ENR EKW_REGISTER(0x4002104Cu)
#define RCC_AHB2ENR_GPIOE (1u << 4)
#define RCC_APB2ENR EKW_REGISTER(0x40021060u)
#define RCC_APB2ENR_SAI1 (1u << 21)
#define RCC_CCIPR2 EKW_REGISTER(0x4002109Cu)
#define RCC_CCIPR2_SAI1_MASK (7u << 5)
#define RCC_CCIPR2_SAI1_HSI16 (4u << 5)

#define GPIOE_MODER EKW_REGISTER(0x48001000u)
#define GPIOE_AFRL EKW_REGISTER(0x48001020u)
#define ALTERNATE_13 13u

#define DMA1_IFCR EKW_REGISTER(0x40020004u)
#define DMA1_IFCR_CHANNEL1 15u
#define DMA1_CCR1 EKW_REGISTER(0x40020008u)
#define DMA1_CNDTR1 EKW_REGISTER(0x4002000Cu)
#define DMA1_CPAR1 EKW_REGISTER(0x40020010u)
#define DMA1_CMAR1 EKW_REGISTER(0x40020014u)
#define DMA_CCR_EN (1u << 0)
#define DMA_CCR_TCIE_HTIE ((1u << 1) | (1u << 2))
#define DMA_CCR_CIRC_MINC ((1u << 5) | (1u << 7))
#define DMA_CCR_16_BITS ((1u << 8) | (1u << 10)) /* of the peripheral and of memory */
#define DMA_CCR_HIGH (2u << 12)
#define DMAMUX1_C0CR EKW_REGISTER(0x40020800u)
#define DMAMUX_SAI1_A 36u

#define SAI1_ACR1 EKW_REGISTER(0x40015404u)
#define SAI_CR1_MASTER_RECEIVER 1u
#define SAI_CR1_16_BITS (4u << 5)
#define SAI_CR1_FALLING (1u << 9) /* the microphone changes its bit there; it is read at the rise */
#define SAI_CR1_SAIEN (1u << 16)
#define SAI_CR1_DMAEN (1u << 17)
#define SAI_CR1_NODIV (1u << 19) /* no master clock: the divider makes the bit clock */
#define SAI_CR1_MCKDIV(divider) ((divider) << 20)
#define SAI1_AFRCR EKW_REGISTER(0x4001540Cu)
#define SAI_FRCR_32_BITS_I2S (31u | (15u << 8) | (1u << 16) | (1u << 18)) /* half of it low; one bit early */
#define SAI1_ASLOTR EKW_REGISTER(0x40015410u)
#define SAI_SLOTR_LEFT_OF_TWO ((1u << 8) | (1u << 16))
#define SAI1_ADR 0x40015420u

#define HSI_DIVIDER 31u

_Static_assert(EKW_RATE_HZ == 16000, "another rate needs another divider");

static void connect_pins(void) {
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOE;
    (void)RCC_AHB2ENR;
    for (uint32_t pin = 4; pin <= 6; pin++) {
        GPIOE_AFRL = (GPIOE_AFRL & ~(15u << (4 * pin))) | (ALTERNATE_13 << (4 * pin));
        GPIOE_MODER = (GPIOE_MODER & ~(3u << (2 * pin))) | (2u << (2 * pin));
    }
}

static void start_dma(void) {
    RCC_AHB1ENR |= RCC_AHB1ENR_DMA1_DMAMUX1;
    (void)RCC_AHB1ENR;
    DMA1_CCR1 = 0;
    DMA1_IFCR = DMA1_IFCR_CHANNEL1;
    DMAMUX1_C0CR = DMAMUX_SAI1_A;
    DMA1_CPAR1 = SAI1_ADR;
    DMA1_CMAR1 = (uint32_t)(uintptr_t)ekw_capture_buffer;
    DMA1_CNDTR1 = 2 * EKW_CAPTURE_SAMPLES;
    DMA1_CCR1 = DMA_CCR_TCIE_HTIE | DMA_CCR_CIRC_MINC | DMA_CCR_16_BITS | DMA_CCR_HIGH;
    DMA1_CCR1 |= DMA_CCR_EN;
    ekw_irq_enable(EKW_CAPTURE_IRQ);
}

bool ekw_capture_start(void) {
    const uint32_t mode = SAI_CR1_MASTER_RECEIVER | SAI_CR1_16_BITS | SAI_CR1_FALLING | SAI_CR1_NODIV;
    connect_pins();
    RCC_CCIPR2 = (RCC_CCIPR2 & ~RCC_CCIPR2_SAI1_MASK) | RCC_CCIPR2_SAI1_HSI16;
    RCC_APB2ENR |= RCC_APB2ENR_SAI1;
    (void)RCC_APB2ENR;
    start_dma();
    SAI1_ACR1 = mode | SAI_CR1_MCKDIV(HSI_DIVIDER) | SAI_CR1_DMAEN;
    SAI1_AFRCR = SAI_FRCR_32_BITS_I2S;
    SAI1_ASLOTR = SAI_SLOTR_LEFT_OF_TWO;
    SAI1_ACR1 |= SAI_CR1_SAIEN;
    return true;
}

void ekw_capture_stop(void) {
    SAI1_ACR1 &= ~SAI_CR1_SAIEN;
    while ((SAI1_ACR1 & SAI_CR1_SAIEN) != 0) { /* until the frame ends */
    }
    DMA1_CCR1 = 0;
}

/* Half or full: one of both each time. */
void ekw_capture_interrupt(void) {
    DMA1_IFCR = DMA1_IFCR_CHANNEL1;
    ekw_capture_filled();
}
